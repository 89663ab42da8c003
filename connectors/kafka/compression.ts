/**
 * The compression codecs of Kafka's record batches.
 *
 * Z1  A batch never inflates beyond the given limit, and memory for it is allocated only when it fits.
 * Z2  A batch is inflated as a whole, however many frames or members it consists of, or it is a RangeError. What follows
 *     the last of them may be records that nobody sees: zlib ends at a zero behind a member of gzip, or at anything else
 *     that is no member, and reports none of it. Kafka's Java client 4.1 passes such bytes over in gzip and lz4, and
 *     refuses them in zstd and snappy.
 *
 * Kafka's Java client writes snappy in xerial's framing and lz4 in LZ4 frame format; librdkafka writes snappy raw.
 */
import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { decompressFrameSync } from 'lz4-napi';
import { uncompress as inflateSnappy } from 'snappyjs';
import { problemOf } from '../../model/errors.ts';
import { lz4Frames } from './lz4-frames.ts';
import { assertElements } from './snappy-elements.ts';
import { zstdFrames } from '../zstd-frames.ts';

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** The codec in a batch's attributes, or undefined when the bits name none. */
export function codecOf(attributes: number): Codec | undefined {
  return codecs[attributes & 0x07];
}

export function inflate(codec: Exclude<Codec, 'none'>, packed: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return inflaters[codec](packed, maxBytes);
  } catch (error) {
    const problem = isTooLarge(error)
      ? `the batch inflates to more than ${maxBytes} bytes (fetch.maxInflatedBytes)`
      : `${codec}: ${problemOf(error)}`;
    throw new RangeError(problem, { cause: error });
  }
}

class TooLarge extends Error {}

/** Ours, or what Node's decoders throw at `maxOutputLength`. */
function isTooLarge(error: unknown): boolean {
  if (error instanceof TooLarge) return true;
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

const inflaters: Readonly<Record<Exclude<Codec, 'none'>, (packed: Uint8Array, maxBytes: number) => Uint8Array>> = {
  gzip: inflateGzip,
  zstd: inflateZstd,
  lz4: inflateLz4,
  snappy: (packed, maxBytes) =>
    isXerial(packed, 0) ? inflateXerial(packed, maxBytes) : inflateRawSnappy(packed, maxBytes),
};

function inflateGzip(packed: Uint8Array, maxBytes: number): Uint8Array {
  const answer: object = gunzipSync(packed, { maxOutputLength: maxBytes, info: true });
  if (!hasEngine(answer)) throw new TypeError('gunzipSync does not say how much it has taken');
  const rest = packed.length - answer.engine.bytesWritten;
  if (rest > 0) throw new RangeError(`${rest} bytes follow its end`);
  return answer.buffer;
}

interface WithEngine {
  readonly buffer: Uint8Array;
  /** `bytesWritten`: of the input, what the decoder has taken. */
  readonly engine: { readonly bytesWritten: number };
}

/** What Node answers with `info`, which its types do not say. */
function hasEngine(answer: object): answer is WithEngine {
  return 'buffer' in answer && 'engine' in answer;
}

function inflateZstd(packed: Uint8Array, maxBytes: number): Uint8Array {
  const params = { [constants.ZSTD_d_windowLogMax]: 27 };
  return inflateParts(zstdFrames(packed), maxBytes, (frame, left) =>
    zstdDecompressSync(frame, { maxOutputLength: Math.max(1, left), params }),
  );
}

function inflateLz4(packed: Uint8Array, maxBytes: number): Uint8Array {
  const frames = lz4Frames(packed);
  const total = frames.reduce((sum, { inflatedBytes }) => sum + inflatedBytes, 0);
  if (total > maxBytes) throw new TooLarge();
  return inflateParts(
    frames.map(({ bytes }) => bytes),
    maxBytes,
    (frame) => decompressFrameSync(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)),
  );
}

const xerialMagic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00];
/** Magic, version, lowest compatible version. */
const xerialHeaderBytes = 16;

function isXerial(packed: Uint8Array, at: number): boolean {
  return packed.length >= at + xerialHeaderBytes && xerialMagic.every((byte, i) => packed[at + i] === byte);
}

function inflateXerial(packed: Uint8Array, maxBytes: number): Uint8Array {
  return inflateParts(xerialChunks(packed), maxBytes, inflateRawSnappy);
}

function xerialChunks(packed: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const chunks: Uint8Array[] = [];
  let at = 0;
  while (at < packed.length) {
    // A header appears again where two streams were concatenated.
    if (isXerial(packed, at)) {
      at += xerialHeaderBytes;
      continue;
    }
    const length = at + 4 <= packed.length ? view.getInt32(at) : -1;
    const end = at + 4 + length;
    if (length < 0 || end > packed.length) throw new RangeError('a snappy chunk ends after its batch');
    chunks.push(packed.subarray(at + 4, end));
    at = end;
  }
  return chunks;
}

/** A copy of three bytes yields at most 64, so a claim of much more is invalid: no memory is allocated for it. */
const mostSnappyRatio = 64 / 3;

function inflateRawSnappy(packed: Uint8Array, maxBytes: number): Uint8Array {
  const { claimed, end } = claimedLength(packed);
  if (claimed > maxBytes) throw new TooLarge();
  if (claimed > packed.length * mostSnappyRatio + 64) throw new RangeError('snappy data is shorter than it says');
  assertElements(packed, end, claimed);
  return inflateSnappy(packed, maxBytes);
}

/** The length in front of raw snappy, as a varint of 32 bits, and where it ends. */
function claimedLength(packed: Uint8Array): { readonly claimed: number; readonly end: number } {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = packed[i];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { claimed: length, end: i + 1 };
  }
  throw new RangeError('snappy data has no length');
}

function inflateParts(
  parts: readonly Uint8Array[],
  maxBytes: number,
  inflatePart: (part: Uint8Array, left: number) => Uint8Array,
): Uint8Array {
  const inflated: Uint8Array[] = [];
  let total = 0;
  for (const part of parts) {
    const bytes = inflatePart(part, maxBytes - total);
    total += bytes.length;
    if (total > maxBytes) throw new TooLarge();
    inflated.push(bytes);
  }
  return inflated.length === 1 && inflated[0] !== undefined ? inflated[0] : Buffer.concat(inflated, total);
}
