import { doesNotThrow, throws } from 'node:assert/strict';
import type { FieldType } from '../../model/plan.ts';
import { checkShape } from '../../transforms/shape.ts';
import { decode } from './support/records.ts';

function check(type: FieldType, json: string, optional = false): () => void {
  return () => checkShape(decode(`{"f":${json}}`), [{ name: 'f', type, optional }]);
}

describe('the shape of a record', () => {
  const fitting: readonly [FieldType, string][] = [
    ['string', '"x"'],
    ['bool', 'false'],
    ['int64', '-5'],
    ['int64', '9223372036854775807'],
    ['uint64', '18446744073709551615'],
    ['float64', '1.5'],
    ['float64', '12345678901234567890.5'],
    ['decimal', '"12345678901234567890.12"'],
    ['decimal', '0.1'],
    ['timestamp', '"2026-11-20T12:00:00.123Z"'],
    ['timestamp', '1763640000000'],
    ['object', '{}'],
    ['array', '[]'],
    ['any', '0'],
  ];
  for (const [type, json] of fitting) it(`takes ${json} as ${type}`, () => doesNotThrow(check(type, json)));

  const misfits: readonly [FieldType, string, RegExp][] = [
    ['string', '1', /Field "f" must be text, but is a number/],
    ['bool', '"true"', /must be true or false, but is text/],
    ['int64', '1.5', /must be an integer \(int64\), but is a fraction/],
    ['int64', '9223372036854775808', /must be an integer/],
    ['uint64', '-1', /must be an integer \(uint64\)/],
    ['uint64', '18446744073709551616', /must be an integer/],
    ['float64', '"1"', /must be a number, but is text/],
    ['decimal', '"1,5"', /must be a number or text that holds one/],
    ['timestamp', '"yesterday"', /must be a timestamp/],
    ['timestamp', '"2026-13-40T00:00:00Z"', /must be a timestamp/],
    ['object', '[]', /must be an object, but is a list/],
    ['array', '{}', /must be a list, but is an object/],
    ['any', 'null', /but is null/],
  ];
  for (const [type, json, message] of misfits) {
    it(`refuses ${json} as ${type}`, () => throws(check(type, json), { code: 'MR_RECORD_MISFIT', message }));
  }

  it('wants a field that is not optional', () => {
    throws(() => checkShape({}, [{ name: 'id', type: 'string', optional: false }]), {
      message: /"id" must be text, but is absent/,
    });
  });

  it('lets an optional field be absent or null', () => {
    doesNotThrow(() => checkShape({}, [{ name: 'id', type: 'string', optional: true }]));
    doesNotThrow(check('string', 'null', true));
  });

  it('lets fields be there that the schema does not name', () => {
    doesNotThrow(() => checkShape({ id: 'x', more: 1 }, [{ name: 'id', type: 'string', optional: false }]));
  });

  it('does not name the value', () => {
    throws(check('bool', '"hunter2"'), (error: unknown) => !String(error).includes('hunter2'));
  });
});
