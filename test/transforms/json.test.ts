import { deepEqual, equal, match, throws } from 'node:assert/strict';
import fc from 'fast-check';
import { encodeJson, ExactNumber, maxDepth, type RecordObject } from '../../model/value.ts';
import { decodeRecord } from '../../transforms/json.ts';
import { decode } from './support/records.ts';

/** A decimal number as people write it, of any length. */
const numberText = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.bigInt({ min: 0n, max: 10n ** 40n }),
    fc.option(fc.stringMatching(/^[0-9]{1,30}$/), { nil: undefined }),
    fc.option(fc.integer({ min: -30, max: 30 }), { nil: undefined }),
  )
  .map(([sign, whole, fraction, exponent]) => {
    const tail = fraction === undefined ? '' : `.${fraction}`;
    return `${sign}${whole}${tail}${exponent === undefined ? '' : `e${exponent}`}`;
  });

/** The exact value of a number, as an integer and a power of ten without zeros at its end. */
function exactValue(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  let digits = BigInt(whole + fraction);
  let power = Number(exponent) - fraction.length;
  if (digits === 0n) return '0';
  while (digits % 10n === 0n) {
    digits /= 10n;
    power++;
  }
  return `${sign}${digits}e${power}`;
}

describe('decoding and encoding records', () => {
  it('J1: keeps the value of every number, however many digits it has', () => {
    fc.assert(
      fc.property(numberText, fc.nat(40), (text, padding) => {
        const encoded = encodeJson(decode(`{"${'k'.repeat(padding)}":[${text}]}`));
        const [, written = ''] = /\[(.*)\]/.exec(encoded) ?? [];
        equal(exactValue(written), exactValue(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it('J1: makes a plain number of what a double holds', () => {
    deepEqual(decode('{"a":1.5,"b":9007199254740992,"c":0.1,"d":1e3,"e":-0.10000000000000000000}'), {
      a: 1.5,
      b: 9007199254740992,
      c: 0.1,
      d: 1000,
      e: -0.1,
    });
  });

  it('J1: makes an exact number of what a double does not hold', () => {
    deepEqual(decode('{"a":12345678901234567890}')['a'], new ExactNumber('12345678901234567890'));
    equal(encodeJson(decode('{"a":12345678901234567.890}')), '{"a":12345678901234567.890}');
  });

  it('J1: what a number becomes does not depend on the rest of the record', () => {
    fc.assert(
      fc.property(numberText, (text) => {
        const alone = decode(`{"a":${text}}`);
        const beside = decode(`{"a":${text},"b":12345678901234567890}`);
        deepEqual(beside['a'], alone['a']);
      }),
      { numRuns: 5_000, examples: [['1e30'], ['-3.464090117676e+67'], ['123456789012345e9']] },
    );
  });

  it('J1: makes an exact number of an integer whose double prints right but is another integer', () => {
    deepEqual(decode(`{"a":1${'0'.repeat(30)}}`)['a'], new ExactNumber(`1${'0'.repeat(30)}`));
    equal(decode(`{"a":1${'0'.repeat(22)}}`)['a'], 1e22);
  });

  const tooFar = ['1e400', '-1e400', '1E+400', '1235.5e306', '1e-400', '-12.5e-330', '1e999999999', '0.1e0310'];
  for (const text of tooFar) {
    it(`J1: keeps ${text}, which is beyond the range of a double`, () => {
      equal(encodeJson(decode(`{"a":[${text}],"b":0}`)), `{"a":[${text}],"b":0}`);
    });
  }

  it('J1: takes a text that looks like such a number for a text', () => {
    deepEqual(decode('{"a":"5e123-1e400", "b":", 1e400","c":"1E400"}'), { a: '5e123-1e400', b: ', 1e400', c: '1E400' });
  });

  it('J1: a short number is the shortest text of its double, or exact', () => {
    const short = fc
      .tuple(fc.integer({ min: -999_999, max: 999_999 }), fc.integer({ min: -420, max: 420 }))
      .map(([mantissa, exponent]) => `${mantissa}e${exponent}`);
    fc.assert(
      fc.property(short, (text) => {
        const [, written = ''] = /\[(.*)\]/.exec(encodeJson(decode(`{"a":[${text}]}`))) ?? [];
        equal(exactValue(written), exactValue(text));
      }),
    );
  });

  it('gives back every JSON object, wherever it stands in the buffer', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(20), (value, before) => {
        const text = JSON.stringify(value);
        const bytes = Buffer.concat([Buffer.alloc(before, '9'), Buffer.from(text), Buffer.alloc(20, '9')]);
        const decoded = decodeRecord(bytes, before, before + Buffer.byteLength(text));
        equal(encodeJson(decoded), JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('encodes integers that a step computed', () => {
    equal(encodeJson({ a: 9007199254740993n, b: [1n] }), '{"a":9007199254740993,"b":[1]}');
  });

  it('leaves out a field that a step removed', () => {
    equal(encodeJson({ a: 1, b: undefined }), '{"a":1}');
  });

  it('J2: takes __proto__ and constructor as fields', () => {
    const record = decode('{"__proto__":{"x":1},"constructor":2}');
    deepEqual(Object.keys(record), ['__proto__', 'constructor']);
    equal(Object.getPrototypeOf(record), Object.prototype);
    equal(encodeJson(record), '{"__proto__":{"x":1},"constructor":2}');
  });

  it('J2: takes them also beside numbers with many digits', () => {
    const text = '{"__proto__":{"x":12345678901234567890},"constructor":2}';
    equal(encodeJson(decode(text)), text);
  });

  it('J2: takes the last of two equal names', () => {
    deepEqual(decode('{"a":1,"a":2}'), { a: 2 });
  });

  const refused: readonly [string, string, RegExp][] = [
    ['a list', '[1]', /it is a list/],
    ['a number', '12345678901234567890', /it is a number/],
    ['null', 'null', /it is null/],
    ['text', '"x"', /it is a string/],
    ['nothing', '', /Unexpected end of JSON input/],
    ['half an object', '{"a":1', /Expected ',' or '\}'/],
    ['two objects', '{} {}', /after JSON/],
  ];
  for (const [what, text, message] of refused) {
    it(`J3: refuses ${what}`, () => throws(() => decode(text), { code: 'MR_RECORD_NOT_JSON', message }));
  }

  it('J3: refuses bytes that are not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    throws(() => decodeRecord(bytes, 0, bytes.length), { code: 'MR_RECORD_NOT_JSON', message: /not UTF-8/ });
  });

  it('J3: takes the replacement character itself', () => {
    deepEqual(decode('{"a":"\uFFFD"}'), { a: '\uFFFD' });
  });

  const halves = [String.raw`{"s":"cut \ud83d"}`, String.raw`{"\uDE00":1}`, String.raw`{"a":[{"b":["\udbff\u0041"]}]}`];
  for (const text of halves) {
    it(`J3: refuses half a surrogate pair: ${text}`, () => {
      throws(() => decode(text), { code: 'MR_RECORD_NOT_JSON', message: /half a surrogate pair/ });
    });
  }

  it('J3: takes whole pairs, and what only looks like a half', () => {
    deepEqual(decode(String.raw`{"a":"\ud83d\uDE00","b":"\\ud83d"}`), { a: '\u{1F600}', b: String.raw`\ud83d` });
  });

  it('passes over a byte order mark, also where the record does not begin the buffer', () => {
    const bytes = Buffer.from('xx\uFEFF{"a":1}');
    deepEqual(decodeRecord(bytes, 2, bytes.length), { a: 1 });
    deepEqual(decode('\uFEFF{"a":"\uFEFF"}'), { a: '\uFEFF' });
  });

  it('names UTF-16', () => {
    const bytes = Buffer.from('\uFEFF{"a":1}', 'utf16le');
    throws(() => decodeRecord(bytes, 0, bytes.length), { message: /UTF-16 \(it begins with a byte order mark\)/ });
  });

  const nested: readonly [string, (depth: number) => string][] = [
    ['lists', (depth) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`],
    ['objects', (depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`],
    ['both, with brackets in texts', (depth) => `${'{"[{":['.repeat(depth / 2)}"]}"${']}'.repeat(depth / 2)}`],
    ['long numbers', (depth) => `${'{"a":'.repeat(depth)}12345678901234567890${'}'.repeat(depth)}`],
  ];
  for (const [what, text] of nested) {
    it(`J4: takes ${maxDepth} levels of ${what}, and says so of more`, () => {
      equal(encodeJson(decode(text(maxDepth))), text(maxDepth));
      for (const depth of [maxDepth + 2, 3_000, 100_000]) {
        throws(() => decode(text(depth)), { code: 'MR_RECORD_NOT_JSON', message: /nested deeper than 256 levels/ });
      }
    });
  }

  it('J4: a record of many objects side by side is not deep', () => {
    const text = JSON.stringify({ list: Array.from({ length: 2_000 }, (_, i) => ({ i, '[': ['}'] })) });
    equal(encodeJson(decode(text)), text);
  });

  it('says what is wrong without quoting the record', () => {
    try {
      decode('{"password": hunter2}');
    } catch (error) {
      equal(String(error).includes('hunter2'), false);
      match(String(error), /Unexpected token/);
      return;
    }
    throw new Error('it was taken');
  });

  it('never throws anything but a refusal, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        let record: RecordObject | undefined;
        try {
          record = decodeRecord(bytes, 0, bytes.length);
        } catch (error) {
          equal(error instanceof Error && 'code' in error && error.code, 'MR_RECORD_NOT_JSON');
        }
        if (record !== undefined) equal(typeof record, 'object');
      }),
    );
  });
});
