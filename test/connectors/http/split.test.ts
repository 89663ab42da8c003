import assert from 'node:assert/strict';
import fc from 'fast-check';
import { JsonScanner } from '../../../model/json-scan.ts';
import { bodyForm, splitRecords, type BodyForm } from '../../../connectors/http/split.ts';
import { maxDepth } from '../../../model/value.ts';

function recordsIn(text: string, form: BodyForm): string[] {
  const body = Buffer.from(text);
  const { start, end } = splitRecords(body, form);
  return Array.from(start, (from, i) => body.toString('utf8', from, end[i]));
}

function isAccepted(bytes: Buffer): boolean {
  try {
    const scanner = new JsonScanner(bytes);
    scanner.space();
    scanner.value();
    scanner.space();
    return scanner.isAtEnd();
  } catch {
    return false;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('records in a body', () => {
  it('keeps the bytes of each object as they were sent, digits and spaces too', () => {
    const one = '{"n": 12345678901234567890.10, "s":"\\u00e9\\n]},"}';
    assert.deepEqual(recordsIn(` ${one}\n`, 'json'), [one]);
    assert.deepEqual(recordsIn(`[ ${one} ,{},\n${one}]`, 'json'), [one, '{}', one]);
    assert.deepEqual(recordsIn(`${one}\r\n\n{}\n${one}`, 'lines'), [one, '{}', one]);
  });

  it('finds none in an empty array and in an empty file of lines', () => {
    assert.deepEqual(recordsIn('[]', 'json'), []);
    assert.deepEqual(recordsIn('\n\n', 'lines'), []);
  });

  for (const [body, form] of [
    ['', 'json'],
    ['1', 'json'],
    ['[1]', 'json'],
    ['[{}', 'json'],
    ['[{},]', 'json'],
    ['[{} {}]', 'json'],
    ['{} {}', 'json'],
    ['{}{}', 'lines'],
    ['{} {}', 'lines'],
    ['{"a":1}\n[{}]', 'lines'],
    ['{"a":1}\n{"b":', 'lines'],
  ] as const) {
    it(`J2: takes nothing of ${JSON.stringify(body)} as ${form}`, () => {
      assert.throws(() => recordsIn(body, form), { name: 'JsonProblem' });
    });
  }

  it('takes nothing that is not UTF-8', () => {
    assert.throws(() => splitRecords(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'json'), /UTF-8/);
  });

  it('J3: passes over a byte order mark, and names UTF-16', () => {
    assert.deepEqual(recordsIn('\uFEFF{"a":1}', 'json'), ['{"a":1}']);
    assert.deepEqual(recordsIn('\uFEFF[{"a":1},{}]', 'json'), ['{"a":1}', '{}']);
    assert.deepEqual(recordsIn('\uFEFF{"a":1}\n{}\n', 'lines'), ['{"a":1}', '{}']);
    assert.throws(() => splitRecords(Buffer.from('\uFEFF{}', 'utf16le'), 'json'), /UTF-16/);
  });

  it('J1: accepts what JSON.stringify makes, and cuts an array where JSON.parse sees its elements', () => {
    const value = fc.jsonValue({ maxDepth: 4, noUnicodeString: false });
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), value)), fc.nat(3), (list, spaces) => {
        const records = recordsIn(JSON.stringify(list, null, spaces), 'json');
        assert.deepEqual(
          records.map((text) => JSON.parse(text) as unknown),
          JSON.parse(JSON.stringify(list)),
        );
      }),
    );
  });

  it('J1: accepts and refuses what JSON.parse accepts and refuses', () => {
    const piece = fc.constantFrom(
      ...['{', '}', '[', ']', ',', ':', '"', '"a"', '\\', '\\n', '\\u12', '\\u00e9', 'true', 'fals', 'null', ' ', '\n'],
      ...['0', '-', '-1', '1.', '1.5', '01', '1e', '1e+9', '1E-2', '.5', '+1', '\t', '\u0001', 'é', '{"a":1}', '[1,2]'],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 7 }), (pieces) => {
        const text = pieces.join('');
        assert.equal(isAccepted(Buffer.from(text)), isJson(text), text);
      }),
      { numRuns: 20_000 },
    );
  });

  it('J1: refuses what is nested too deep instead of running out of stack', () => {
    const nested = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
    assert.equal(isAccepted(nested(maxDepth)), true);
    assert.equal(isAccepted(nested(maxDepth + 1)), false);
    assert.equal(isAccepted(Buffer.from('['.repeat(1_000_000))), false);
  });

  it('knows JSON and its lines by their media types', () => {
    assert.equal(bodyForm('application/json; charset=utf-8'), 'json');
    assert.equal(bodyForm('application/cloudevents+json'), 'json');
    assert.equal(bodyForm('Application/X-NDJSON'), 'lines');
    assert.equal(bodyForm('text/plain'), undefined);
    assert.equal(bodyForm(undefined), undefined);
  });
});
