import assert from 'node:assert/strict';
import fc from 'fast-check';
import { z } from 'zod';
import { lint } from '../../crds/lint.ts';
import { issueProblem } from '../../crds/schema-issues.ts';

/** How zod begins its own sentences, in any of them. */
const zodSays =
  /Invalid (input|option|key|string|value|element|number|ISO|URL|UUID)|Too (big|small)|Unrecognized key|expected .* received|\bNaN\b|>=|<=/;

const problemIn = (schema: z.ZodType, value: unknown): string => {
  const [issue] = schema.safeParse(value).error?.issues ?? [];
  assert.ok(issue, 'the value fits');
  return issueProblem(issue, value);
};

describe('words about a value that does not fit', () => {
  const rows: readonly (readonly [schema: z.ZodType, value: unknown, says: string])[] = [
    [z.coerce.number(), 'abc', 'must be a number, but is "abc"'],
    [z.coerce.number().max(5), '9', 'must be at most 5, but is 9'],
    [z.string().max(3), 'abcd', 'must have at most 3 characters, but has 4'],
    [z.string().min(1), '', 'must have at least 1 character, but has 0'],
    [z.array(z.string()).min(1), [], 'must have at least 1 item, but has 0'],
    [z.array(z.string()).max(1), ['a', 'b'], 'must have at most 1 item, but has 2'],
    [z.enum(['a']), 'b', 'must be "a", but is "b"'],
    [z.number().multipleOf(5), 7, 'must be a multiple of 5, but is 7'],
    [z.union([z.string(), z.number()]), true, 'does not fit'],
    [z.strictObject({}), { a: 1 }, '"a" is not known; there are none here'],
  ];
  for (const [schema, value, says] of rows) it(says, () => assert.equal(problemIn(schema, value), says));

  it('no sentence of zod is ours, whatever the schema and the value', () => {
    const schemas = [
      ...rows.map(([schema]) => schema),
      ...[z.int(), z.bigint(), z.boolean(), z.null(), z.date(), z.iso.datetime(), z.url(), z.uuid(), z.email()],
      ...[z.record(z.string().max(1), z.int()), z.tuple([z.int()]), z.set(z.int()), z.map(z.int(), z.int()), z.never()],
      z.discriminatedUnion('a', [z.object({ a: z.literal(1) }), z.object({ a: z.literal(2) })]),
    ];
    const written = fc.stringMatching(/^[a-z]{0,8}$/);
    const anything = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.object(), written, fc.constant(NaN), fc.bigInt());
    fc.assert(
      fc.property(fc.constantFrom(...schemas), anything, (schema, value) => {
        const [issue] = schema.safeParse(value).error?.issues ?? [];
        if (issue === undefined) return;
        // A sentence of ours names the field.
        if (issue.code === 'unrecognized_keys' && issue.keys.some((name) => zodSays.test(name))) return;
        const said = issueProblem(issue, undefined) + issueProblem(issue, 0);
        assert.doesNotMatch(said, zodSays);
      }),
    );
  });

  it("no sentence of zod is in a pipeline's issues", () => {
    // A sentence of ours quotes the value.
    const text = fc.string().filter((one) => !zodSays.test(one));
    const value = fc.oneof(fc.constantFrom(null, 0, -1, 1.5, '', 'x', [], {}, true, [{}], 1e30), text);
    const paths = [
      ...[['apiVersion'], ['kind'], ['metadata'], ['metadata', 'name'], ['spec'], ['spec', 'desiredState']],
      ...[
        ['spec', 'sources'],
        ['spec', 'sources', '0'],
        ['spec', 'sources', '0', 'name'],
        ['spec', 'steps'],
      ],
      ...[
        ['spec', 'sources', '0', 'replicas'],
        ['spec', 'sources', '0', 'generator'],
        ['spec', 'buffer', 'maxBytes'],
      ],
      ...[
        ['spec', 'sinks', '0', 'batch', 'maxRecords'],
        ['spec', 'sinks', '0', 'clickhouse', 'url'],
        ['spec', 'sinks'],
      ],
    ];
    fc.assert(
      fc.property(fc.constantFrom(...paths), value, (path, put) => {
        for (const { message } of lint(changed(path, put))) assert.doesNotMatch(message, zodSays);
      }),
    );
  });
});

function changed(path: readonly string[], value: unknown): unknown {
  const pipeline: unknown = {
    apiVersion: 'millrace.io/v1alpha1',
    kind: 'Pipeline',
    metadata: { name: 'orders' },
    spec: {
      sources: [{ name: 'orders', generator: {} }],
      buffer: {},
      sinks: [{ name: 'warehouse', batch: {}, clickhouse: { url: 'http://ch:8123', table: 'orders' } }],
    },
  };
  const put = (at: unknown, [key, ...rest]: readonly string[]): unknown => {
    if (key === undefined) return value;
    if (Array.isArray(at)) return at.map((item: unknown, i) => (String(i) === key ? put(item, rest) : item));
    const fields = z.record(z.string(), z.unknown()).catch({}).parse(at);
    return { ...fields, [key]: put(fields[key], rest) };
  };
  return put(pipeline, path);
}
