/**
 * Where the frames of LZ4 data start and end, and how much each inflates to. The native decoder takes one frame and
 * has no limit, so the size is computed here first, from the sequences of each block, without writing a byte.
 */
const magic = 0x184d2204;
const skippableMagic = 0x184d2a50;

export interface Lz4Frame {
  readonly bytes: Uint8Array;
  readonly inflatedBytes: number;
}

/** The data frames, in order. Throws RangeError for an incomplete or invalid frame. */
export function lz4Frames(packed: Uint8Array): readonly Lz4Frame[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const frames: Lz4Frame[] = [];
  let at = 0;
  while (at < packed.length) {
    const found = uint32(view, at);
    if ((found & 0xfffffff0) >>> 0 === skippableMagic) {
      at += 8 + uint32(view, at + 4);
      continue;
    }
    if (found !== magic) throw new RangeError('lz4 data holds something that is no frame');
    const { end, inflatedBytes } = measure(packed, view, at);
    frames.push({ bytes: packed.subarray(at, end), inflatedBytes });
    at = end;
  }
  if (at > packed.length) throw new RangeError('an lz4 frame ends after its data');
  return frames;
}

function measure(packed: Uint8Array, view: DataView, start: number): { end: number; inflatedBytes: number } {
  const flags = packed[start + 4] ?? 0;
  const hasBlockChecksums = (flags & 0x10) !== 0;
  const hasContentSize = (flags & 0x08) !== 0;
  const hasContentChecksum = (flags & 0x04) !== 0;
  const hasDictionary = (flags & 0x01) !== 0;
  let at = start + 7 + (hasContentSize ? 8 : 0) + (hasDictionary ? 4 : 0);
  let inflatedBytes = 0;
  for (let size = uint32(view, at); size !== 0; size = uint32(view, at)) {
    const isPlain = size >>> 31 === 1;
    const length = size & 0x7fffffff;
    const from = at + 4;
    if (from + length > packed.length) throw new RangeError('an lz4 block ends after its data');
    inflatedBytes += isPlain ? length : inflatedSize(packed, from, from + length);
    at = from + length + (hasBlockChecksums ? 4 : 0);
  }
  const end = at + 4 + (hasContentChecksum ? 4 : 0);
  if (end > packed.length) throw new RangeError('an lz4 frame ends after its data');
  return { end, inflatedBytes };
}

/** The literals and matches of a block's sequences, added up. */
function inflatedSize(packed: Uint8Array, from: number, end: number): number {
  let at = from;
  let total = 0;
  while (at < end) {
    const token = packed[at++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      for (let more = 255; more === 255 && at < end; literals += more) more = packed[at++]!;
    }
    total += literals;
    at += literals;
    if (at >= end) break;
    at += 2;
    let match = (token & 15) + 4;
    if (match === 19) {
      for (let more = 255; more === 255 && at < end; match += more) more = packed[at++]!;
    }
    total += match;
  }
  if (at > end) throw new RangeError('an lz4 sequence ends after its block');
  return total;
}

function uint32(view: DataView, at: number): number {
  if (at + 4 > view.byteLength) throw new RangeError('an lz4 frame ends after its data');
  return view.getUint32(at, true);
}
