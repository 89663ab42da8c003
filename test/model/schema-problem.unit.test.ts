import assert from 'node:assert/strict';
import fc from 'fast-check';
import { z } from 'zod';
import type { MillraceError } from '../../model/errors.ts';
import { problemOf } from '../../model/errors.ts';
import { asSinkError, asSourceError } from '../../stream/outside-errors.ts';

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return assert.fail('the value fits');
}

const thrown = (schema: z.ZodType, value: unknown) => thrownBy(() => schema.parse(value));

const column = z.strictObject({ name: z.string().min(1), type: z.enum(['int8', 'text']) });
const columns = z.object({ columns: z.array(column) });

describe('the problem of an error of a schema', () => {
  const rows: readonly (readonly [value: unknown, says: string])[] = [
    [{ columns: [{ name: 'id', type: 'int8' }, { type: 'text' }] }, 'columns[1].name must be text'],
    [
      { columns: [{ name: '', type: 'float' }] },
      'columns[0].name must have at least 1 character; columns[0].type must be one of "int8", "text"',
    ],
    [{ columns: [{ name: 'id', type: 'text', oid: 7 }] }, 'columns[0] has unknown fields: oid'],
    [7, 'the value must be an object'],
    [
      { columns: [1, 2, 3, 4, 5] },
      'columns[0] must be an object; columns[1] must be an object; columns[2] must be an object; 2 more',
    ],
  ];
  for (const [value, says] of rows) {
    it(`is a sentence with its place: ${says}`, () => assert.equal(problemOf(thrown(columns, value)), says));
  }

  it('is the same of an error that was not thrown, which is no Error', () => {
    const { error } = columns.safeParse(7);
    assert.equal(problemOf(error), 'the value must be an object');
  });

  it('reaches the condition of a source and of a sink in these words', () => {
    const error = thrown(columns, 7);
    const errors: readonly MillraceError[] = [asSinkError('warehouse', error), asSourceError('orders', error)];
    for (const { sentence } of errors) assert.match(sentence, /: the value must be an object\. /);
  });

  it('has neither the words nor the JSON of the library, nor the value, whatever is wrong', () => {
    const schemas = [
      ...[columns, z.array(columns), z.record(z.string().max(1), z.int()), z.tuple([z.int()]), z.map(z.int(), z.int())],
      ...[z.int().multipleOf(5), z.bigint(), z.boolean(), z.date(), z.url(), z.uuid(), z.never(), z.set(z.int())],
      ...[z.union([z.string().regex(/^x$/), z.number().max(1)]), z.array(z.string()).min(2), z.literal('secret')],
    ];
    const secret = fc.constant('s3cr3t');
    const anything = fc.oneof(
      secret,
      fc.array(secret),
      fc.dictionary(fc.stringMatching(/^[a-c]{1,3}$/), secret),
      fc.integer(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...schemas), anything, (schema, value) => {
        const { error } = schema.safeParse(value);
        if (error === undefined) return;
        assert.doesNotMatch(problemOf(error), /[{}\n]|s3cr3t|Invalid|expected|Unrecognized|undefined/);
      }),
    );
  });
});

describe('the problem of anything else that was thrown', () => {
  it('is its message, or what it is as text', () => {
    assert.equal(problemOf(new Error('no route')), 'no route');
    assert.equal(problemOf('no route'), 'no route');
    assert.equal(problemOf(undefined), 'undefined');
  });
});
