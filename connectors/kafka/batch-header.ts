/** The fixed part of a RecordBatch v2 (magic 2), the only form that Kafka writes since 0.11 and keeps since 4.0. */
import { codecOf, type Codec } from './compression.ts';

/** Bytes before the first record. */
export const headerBytes = 61;
/** Base offset and length, which the length does not count. */
const lengthPrefixBytes = 12;
const magicAt = 16;
const smallestLength = headerBytes - lengthPrefixBytes;

export interface BatchHeader {
  readonly at: number;
  /** Where the batch ends in its buffer. */
  readonly end: number;
  readonly baseOffset: number;
  /** Offset of the last record that the batch had when it was written; compaction may have taken that record since. */
  readonly lastOffset: number;
  readonly codec: Codec;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  /** The broker's time counts, the same for all records; else that of the producer. */
  readonly isLogAppendTime: boolean;
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: bigint;
  readonly records: number;
}

/** The batch at `at`, or undefined when it is incomplete: the last batch of a fetch is cut at a byte limit. */
export function readBatchHeader(view: DataView, at: number): BatchHeader | undefined {
  if (at + lengthPrefixBytes > view.byteLength) return undefined;
  const length = view.getInt32(at + 8);
  const end = at + lengthPrefixBytes + length;
  if (at + magicAt < view.byteLength) checkMagic(view.getInt8(at + magicAt));
  if (length < smallestLength) throw new RangeError(`a batch cannot have ${length} bytes`);
  if (end > view.byteLength) return undefined;
  const attributes = view.getInt16(at + 21);
  const codec = codecOf(attributes);
  if (codec === undefined) throw new RangeError(`compression codec ${attributes & 0x07} is not known`);
  const baseOffset = Number(view.getBigInt64(at));
  return {
    at,
    end,
    baseOffset,
    lastOffset: baseOffset + view.getInt32(at + 23),
    codec,
    isTransactional: (attributes & 0x10) !== 0,
    isControl: (attributes & 0x20) !== 0,
    isLogAppendTime: (attributes & 0x08) !== 0,
    firstTimestamp: Number(view.getBigInt64(at + 27)),
    maxTimestamp: Number(view.getBigInt64(at + 35)),
    producerId: view.getBigInt64(at + 43),
    records: view.getInt32(at + 57),
  };
}

function checkMagic(magic: number): void {
  if (magic === 2) return;
  throw new RangeError(`message format v${magic} is from before Kafka 0.11; only v2 is read`);
}

/** The offset after the last whole batch of a record set, or `from` when there is none. Reads headers only. */
export function offsetAfter(bytes: Uint8Array, from: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let next = from;
  for (let at = 0; ;) {
    const header = readBatchHeader(view, at);
    if (header === undefined) return next;
    next = Math.max(next, header.lastOffset + 1);
    at = header.end;
  }
}
