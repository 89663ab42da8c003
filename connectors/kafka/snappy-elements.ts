/**
 * Checks raw snappy before it is inflated: the elements fill the input, and produce what the block claims.
 *
 * snappyjs reads lengths and offsets from 2³¹ on as negative: it then goes back in its input, perhaps for ever, and what
 * an element boundary cuts off it leaves as zeros. Source: format_description.txt of google/snappy.
 */

/** Bytes of a copy element, by the two low bits of its tag. */
const copyBytes = [0, 2, 3, 5] as const;

/** `from`: where the first element begins. `claimed`: bytes of the inflated block. Throws RangeError. */
export function assertElements(packed: Uint8Array, from: number, claimed: number): void {
  let produced = 0;
  let at = from;
  while (at < packed.length) {
    const tag = packed[at]!;
    const kind = tag & 3;
    if (kind === 0) {
      const { bytes, length } = literalAt(packed, at);
      at += bytes + length;
      produced += length;
    } else {
      if (kind === 3 && (packed[at + 4] ?? 0) >= 0x80) throw new RangeError('a snappy copy reaches back too far');
      at += copyBytes[kind]!;
      produced += kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    }
  }
  if (at > packed.length) throw new RangeError('a snappy element ends after its block');
  if (produced !== claimed) throw new RangeError(`snappy data holds ${produced} bytes and claims ${claimed}`);
}

/** `bytes`: of the tag and the length behind it. */
function literalAt(packed: Uint8Array, at: number): { readonly bytes: number; readonly length: number } {
  const short = packed[at]! >>> 2;
  if (short < 60) return { bytes: 1, length: short + 1 };
  const more = short - 59;
  let length = 1;
  for (let i = 0; i < more; i++) length += (packed[at + 1 + i] ?? 0) * 2 ** (8 * i);
  return { bytes: 1 + more, length };
}
