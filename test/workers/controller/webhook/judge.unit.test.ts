import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { PipelineInput } from '../../../../crds/pipeline.ts';
import type { KubeObject } from '../../../../kubernetes/objects.ts';
import { isToBeJudged, judge } from '../../../../workers/controller/webhook/judge.ts';
import { knownIn } from '../../../../workers/controller/webhook/known-problems.ts';
import type { AdmissionRequest } from '../../../../workers/controller/webhook/review.ts';
import { storedPipeline } from '../../../crds/support/pipelines.ts';

type Spec = PipelineInput['spec'];

function object(spec: Partial<Spec> = {}, metadata: object = {}): KubeObject {
  const stored = storedPipeline(spec);
  return { ...stored, metadata: { ...stored.metadata, ...metadata } };
}

/** With what the schema does not take. */
function odd(change: (spec: Record<string, unknown>) => unknown): KubeObject {
  const stored = storedPipeline();
  return { ...stored, spec: change({ ...stored.spec }) };
}

function asked(change: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    ...{ uid: 'u', kind: { group: 'millrace.io', kind: 'Pipeline' }, subResource: '', namespace: 'shop' },
    ...{ operation: 'UPDATE', object: object({ desiredState: 'Paused' }), oldObject: object() },
    ...change,
  };
}

const sinks = (when: string): Spec['sinks'] => [
  { name: 'warehouse', clickhouse: { url: 'http://ch:8123', table: 'o' }, when },
];

describe('what the webhook looks at', () => {
  const rows: readonly [what: string, change: Partial<AdmissionRequest>, isLookedAt: boolean][] = [
    ['a new pipeline', { operation: 'CREATE', oldObject: null }, true],
    ['another spec', {}, true],
    ['a spec that is as it was, with other metadata', { object: object({}, { labels: { a: 'b' } }) }, false],
    ['a deletion', { operation: 'DELETE', object: null }, false],
    ['a status', { subResource: 'status' }, false],
    ['one that is being deleted', { object: object({ desiredState: 'Paused' }, { deletionTimestamp: 'x' }) }, false],
    ['another kind', { kind: { group: 'apps', kind: 'Deployment' } }, false],
    ['a connection', { operation: 'CONNECT' }, false],
  ];
  for (const [what, change, isLookedAt] of rows)
    it(`${isLookedAt ? 'is' : 'is not'} ${what}`, () => equal(isToBeJudged(asked(change)), isLookedAt));

  it('is not a spec whose fields are in another order', () => {
    const reversed = odd((spec) => Object.fromEntries(Object.entries(spec).reverse()));
    equal(isToBeJudged(asked({ object: reversed })), false);
  });
});

describe('what a spec is refused for', () => {
  it('is what lint says, in its words, with the field as it is written', () => {
    const { problems, plan } = judge({ object: object({ sinks: sinks('record.') }) });
    deepEqual(
      problems.map(({ field }) => field),
      ['spec.sinks[0].when'],
    );
    match(problems[0]?.message ?? '', /^spec\.sinks\[0\]\.when: expression does not compile: /);
    equal(plan, undefined);
  });

  it('is nothing that was stored already, as long as nobody touches it', () => {
    const oldObject = object({ sinks: sinks('record.') });
    const paused = judge({ object: object({ sinks: sinks('record.'), desiredState: 'Paused' }), oldObject });
    deepEqual(paused.problems, []);
    match(paused.warnings.join(), /does not compile/);
    equal(judge({ object: object({ sinks: sinks('(') }), oldObject }).problems.length, 1);
  });

  it('is also what was stored, when the value that it is about has changed', () => {
    const unknown = (value: unknown) => odd((spec) => ({ ...spec, speling: value }));
    equal(judge({ object: unknown(1), oldObject: unknown(1) }).problems.length, 0);
    equal(judge({ object: unknown(2), oldObject: unknown(1) }).problems.length, 1);
  });

  it('is a change that the plan in force does not allow, even where the CRD has no rule for it', () => {
    const { problems } = judge({ object: object({ buffer: { shards: 4 } }), oldObject: object() });
    match(problems[0]?.message ?? '', /buffer\.shards: edge records has \d+ shards and cannot have 4\./);
  });

  it('is not a change from a spec that has no plan', () => {
    const oldObject = odd((spec) => ({ ...spec, sources: 'none' }));
    const { problems, plan, before } = judge({ object: object(), oldObject });
    deepEqual([problems, before], [[], undefined]);
    equal(plan?.stages.length, 2);
  });

  it('does not read what others keep in the metadata', () => {
    deepEqual(judge({ object: object({}, { managedFields: [{ fieldsV1: { '\ud800': {} } }] }) }).problems, []);
  });
});

describe('what is known of a stored spec', () => {
  // Whoever reaches the port may send it, and no other question is answered until it is read.
  for (const [what, pathOf] of [
    ['its fields', (key: string) => `/spec/sinks/0/${key}`],
    ['itself', () => '/spec/sinks/0'],
  ] as const)
    it(`is found without reading a sink again for each of a thousand errors about ${what}`, () => {
      let looks = 0;
      const keys = Array.from({ length: 1_000 }, (_, index) => `key${index}`);
      const sink = new Proxy(Object.fromEntries(keys.map((key) => [key, 1])), {
        ownKeys(target) {
          looks++;
          return Reflect.ownKeys(target);
        },
      });
      const value = { spec: { sinks: [sink] } };
      const issues = keys.map((key) => ({
        ...{ path: pathOf(key), message: '' },
        ...({ code: 'MR_SPEC_UNKNOWN_FIELD', severity: 'error' } as const),
      }));
      const isKnown = knownIn({ value, issues }, value);
      ok(issues.every((issue) => isKnown(issue)));
      ok(looks <= 10, `all keys of the sink were read ${looks} times`);
    });

  it('is no item by a name that is longer than any: it would be repeated for each error below it', () => {
    const valueOf = (length: number) => ({ sinks: [{ name: 'x'.repeat(length), when: '(' }] });
    const issue = { path: '/sinks/0/when', message: '', code: 'MR_SPEC_EXPRESSION', severity: 'error' } as const;
    const isKnown = (length: number) =>
      knownIn({ value: valueOf(length), issues: [issue] }, valueOf(length + 1))(issue);
    deepEqual([isKnown(62), isKnown(64)], [false, true]);
  });
});
