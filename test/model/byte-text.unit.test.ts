import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { textOfBytes } from '../../model/byte-text.ts';

describe('bytes as text', () => {
  it('X1: have their bytes back, also through JSON', () => {
    const pieces = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.string({ unit: 'binary', maxLength: 3 }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 6 }), (parts) => {
        const bytes = Buffer.concat(parts);
        const text = JSON.parse(JSON.stringify(textOfBytes(bytes))) as string;
        assert.deepEqual(bytesOf(text), bytes);
        // X2
        assert.equal(text.isWellFormed(), isUtf8(bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  const read: readonly (readonly [string, readonly number[], string])[] = [
    ['UTF-8', [0x61, 0xc3, 0xa9], 'aé'],
    ['a byte of Latin-1', [0x61, 0xe9], 'a\udce9'],
    ['a character that is cut', [0xe2, 0x82], '\udce2\udc82'],
    ['a surrogate, as CESU-8 has it', [0xed, 0xa0, 0xbd], '\udced\udca0\udcbd'],
    ['a character that is longer than it need be', [0xc0, 0x80], '\udcc0\udc80'],
  ];
  for (const [what, bytes, text] of read) {
    it(`${what} reads as ${JSON.stringify(text)}`, () => assert.equal(textOfBytes(Uint8Array.from(bytes)), text));
  }
});

function bytesOf(text: string): Buffer {
  const isEscape = (character: string) => /^[\udc80-\udcff]$/.test(character);
  return Buffer.concat(
    Array.from(text, (one) => (isEscape(one) ? Buffer.of(one.charCodeAt(0) - 0xdc00) : Buffer.from(one))),
  );
}
