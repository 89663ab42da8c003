/**
 * Where the frames of zstd data start and end (RFC 8878). Node's decoder stops after the first frame without
 * reporting the rest. Reads headers only.
 */
const magic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

/** The data frames, in order. Throws RangeError for an incomplete or invalid frame. */
export function zstdFrames(packed: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const frames: Uint8Array[] = [];
  let at = 0;
  while (at < packed.length) {
    const found = must(view, at, 4).getUint32(at, true);
    if ((found & 0xfffffff0) >>> 0 === skippableMagic) {
      at += 8 + must(view, at, 8).getUint32(at + 4, true);
      continue;
    }
    if (found !== magic) throw new RangeError('zstd data holds something that is no frame');
    const end = endOfFrame(view, at);
    frames.push(packed.subarray(at, end));
    at = end;
  }
  if (at > packed.length) throw new RangeError('a zstd frame ends after its data');
  return frames;
}

function endOfFrame(view: DataView, start: number): number {
  const descriptor = must(view, start, 5).getUint8(start + 4);
  let at = start + 5 + headerBytes(descriptor);
  for (let isLast = false; !isLast;) {
    must(view, at, 3);
    const header = view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getUint8(at + 2) << 16);
    isLast = (header & 1) === 1;
    const isRepeatedByte = ((header >> 1) & 3) === 1;
    at += 3 + (isRepeatedByte ? 1 : header >> 3);
  }
  const hasChecksum = (descriptor & 0x04) !== 0;
  const end = at + (hasChecksum ? 4 : 0);
  if (end > view.byteLength) throw new RangeError('a zstd frame ends after its data');
  return end;
}

/** Window, dictionary and content size, if the descriptor says that they are present. */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const contentSize = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  return (isSingleSegment ? 0 : 1) + dictionary + contentSize;
}

function must(view: DataView, at: number, bytes: number): DataView {
  if (at + bytes > view.byteLength) throw new RangeError('a zstd frame ends after its data');
  return view;
}
