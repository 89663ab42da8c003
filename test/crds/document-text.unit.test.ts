import assert from 'node:assert/strict';
import fc from 'fast-check';
import { documentText } from '../../crds/document-text.ts';

describe('the text of a document', () => {
  it('B1: is what its bytes say, or refused', () => {
    const pieces = fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.string({ unit: 'grapheme' }), fc.constant('\ufffd'));
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 6 }), (parts) => {
        const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
        const read = documentText(bytes);
        if (read.is === 'unreadable') return;
        const withoutMark = bytes.subarray(0, 3).equals(Buffer.from('\ufeff')) ? bytes.subarray(3) : bytes;
        assert.deepEqual(Buffer.from(read.text), withoutMark);
      }),
      { numRuns: 1_000 },
    );
  });

  it('B1: every text without zero is read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!text.includes('\0') && !text.startsWith('\ufeff'));
        assert.deepEqual(documentText(Buffer.from(text)), { is: 'text', text });
      }),
    );
  });

  const rows: readonly [what: string, bytes: readonly number[], line: number, column: number][] = [
    ['at the beginning', [0xff], 1, 1],
    ['behind a character of two bytes', [0xc3, 0xa4, 0xa4], 1, 2],
    ['in the second line', [0x61, 0x0a, 0x62, 0xc3], 2, 2],
    ['behind a replacement character that was written', [0xef, 0xbf, 0xbd, 0x0a, 0xef, 0xbf, 0xbd, 0xef, 0xbf], 2, 2],
    ['that would be half of a surrogate pair', [0x61, 0xed, 0xa0, 0xbd], 1, 2],
    ['that is longer than it need be', [0x61, 0xc0, 0x80], 1, 2],
  ];
  for (const [what, bytes, line, column] of rows) {
    it(`names the place of a byte ${what}`, () => {
      const read = documentText(Uint8Array.from(bytes));
      assert.deepEqual(read, { is: 'unreadable', problem: 'is not UTF-8', line, column });
    });
  }

  it('B2: has no byte order mark', () => {
    assert.deepEqual(documentText(Buffer.from('\ufeffa: 1')), { is: 'text', text: 'a: 1' });
  });
});
