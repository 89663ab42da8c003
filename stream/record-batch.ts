/**
 * Records as a source hands them over: one buffer and tables of offsets into it. No object per record.
 *
 * B1  All tables have at least `count` entries; entry i is record i, in source order.
 * B2  `valueEnd[i] === -1` means a null value (a tombstone); `keyEnd[i] === -1` means no key.
 * B3  `positionAfter(i)` covers records 0..i of this batch and everything before the batch. As JSON, none is longer
 *     than `position`.
 * B4  The buffer belongs to the batch until the next batch is read; code that needs the bytes longer must copy them.
 */
import type { Json } from '../model/value.ts';

/** A position at a source: opaque to the stream, stored in frames as JSON, small (up to some hundred bytes). */
export type Position = Json;

export type Header = readonly [name: string, value: string];

/** Identifies a batch that was stored before, whichever slot of the edge receives it. */
export interface Once {
  /** A token of a subject. */
  readonly key: string;
  /** Returned to a request that repeats the key. */
  readonly note: string;
  /** The key is remembered for at least this long after it was stored. */
  readonly forSeconds: number;
}

export interface RecordBatch {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  readonly keyStart: Int32Array;
  readonly keyEnd: Int32Array;
  /** Source time, milliseconds since 1970. */
  readonly timestamps: Float64Array;
  /** Entry i: headers of record i. Absent when no record has any. */
  readonly headers?: readonly (readonly Header[] | undefined)[];
  /** -1 when the source has no partitions. All records of a batch are of one partition. */
  readonly partition: number;
  /** Offset of record i at the source, above that of record i - 1; absent when the source has none. */
  readonly offsets?: BigInt64Array;
  /** The batch must have a frame of its own, and is stored once under this key (E11). */
  readonly once?: Once;
  /** The source has given the batch up meanwhile: nothing more of it may be stored. */
  isRefused?(): boolean;
  positionAfter(index: number): Position;
  /** The position after the whole batch, even when `count` is 0 (skipped control records, compacted gaps). */
  readonly position: Position;
}
