import { deepStrictEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import type { RecordObject } from '../../../model/value.ts';
import { FlatScanner } from '../../../transforms/flat/scanner.ts';
import { decodeRecord } from '../../../transforms/json.ts';
import { oddRecords, packed } from './odd-records.ts';

function objectOf(flat: FlatScanner): RecordObject {
  return Object.fromEntries(flat.shape.names.map((name, i) => [name, flat.valueOf(i)]));
}

/** Which of the records are taken, each checked against the decoder. */
function taken(texts: readonly (string | Buffer)[], touched: readonly string[] = []): boolean[] {
  const { bytes, starts, ends, end } = packed(texts.map((text) => Buffer.from(text)));
  const scanner = new FlatScanner(new Set(touched));
  scanner.open(bytes, end);
  return starts.map((start, i) => {
    if (!scanner.scan(start, ends[i]!)) return false;
    const decoded = decodeRecord(bytes, start, ends[i]!);
    deepStrictEqual(objectOf(scanner), decoded);
    if (touched.length > 0) {
      const wanted = Object.entries(decoded).filter(([name]) => touched.includes(name));
      deepStrictEqual(scanner.values, Object.fromEntries(wanted));
    }
    return true;
  });
}

describe('flat records', () => {
  it('L1: are what the decoder makes of the same bytes, whatever these are', () => {
    let count = 0;
    fc.assert(
      fc.property(oddRecords, fc.subarray(['id', 'text', 'kind', 'é']), (records, touched) => {
        count += taken(records, touched).filter(Boolean).length;
      }),
      { numRuns: 3_000 },
    );
    ok(count > 1_000, `only ${count} records were taken`);
  });

  it('L1: are taken from the second of a shape on, with other values of other kinds and lengths', () => {
    const texts = ['{"a":1,"b":"x"}', '{"a":"long text","b":null}', '{"a":-1.25,"b":"\\n"}', '{"a":true,"b":1e400}'];
    deepStrictEqual(taken(texts), [false, true, true, true]);
  });

  it('L1: are taken when shapes take turns, with space between the parts', () => {
    const texts = ['{ "a": 1 }\n', '{"b":1}', '{ "a": 2 }\n', '{"b":2}', '{ "a": 3 }\n'];
    deepStrictEqual(taken(texts), [false, false, true, true, true]);
  });

  for (const [what, text] of [
    ['a second field of a name', '{"a":1,"a":2}'],
    ['an object', '{"a":{}}'],
    ['a list', '{"a":[1]}'],
    ['an escape of a code unit', '{"a":"\\u0041"}'],
    ['no field', '{}'],
    ['a name that every object has', '{"__proto__":1}'],
    ['half a surrogate pair in a name', '{"\\ud83d":1}'],
    ['a control character', '{"a":"\u0001"}'],
    ['a zero in front', '{"a":01}'],
    ['a byte order mark', '\uFEFF{"a":1}'],
    ['bytes behind it', '{"a":1}x'],
  ]) {
    it(`L1: are not taken with ${what}`, () => {
      deepStrictEqual(taken(['{"a":1}', text!, text!, text!]), [false, false, false, false]);
    });
  }

  it('L1: none is taken of a frame with bytes that are not UTF-8, also when two halves of a character meet', () => {
    const bad = Buffer.from('{"a":"\xff"}', 'latin1');
    deepStrictEqual(taken(['{"a":1}', '{"a":2}', bad]), [false, false, false]);
    const halves = [Buffer.from('{"a":"é').subarray(0, -1), Buffer.concat([Buffer.from([0xa9]), Buffer.from('"}')])];
    deepStrictEqual(taken(['{"a":"x"}', ...halves]), [false, false, false]);
  });

  it('S3: records of which no two are alike are tried one time in 64', () => {
    const texts = Array.from({ length: 1_000 }, (_, i) => `{"field_${i}":1}`);
    equal(
      taken([...texts, ...Array.from({ length: 200 }, () => '{"a":1}')])
        .slice(1_000)
        .filter(Boolean).length > 0,
      true,
    );
  });
});
