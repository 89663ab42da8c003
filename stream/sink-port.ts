/** What the sink loop needs of a sink, and what connectors implement (`SinkSlot` of connectors/connector.ts). */
import type { MillraceError } from '../model/errors.ts';
import type { FlatRecord } from '../model/flat-record.ts';
import type { RecordMeta, RecordObject } from '../model/value.ts';

export interface BatchRange {
  readonly from: number;
  readonly to: number;
  readonly after: number;
  readonly token: string;
  /** Of the frames: the range is repeated with these or not at all. Absent in entries of v0.1. */
  readonly check?: number | undefined;
}

export interface RefusedRow {
  readonly row: number;
  readonly error: MillraceError;
}

export interface RowBufferPort {
  readonly rows: number;
  readonly bytes: number;
  add(value: RecordObject, meta: RecordMeta): void;
  /** The same of a record that is not decoded. False: nothing was added, and the record is to be decoded. */
  addFlat?(record: FlatRecord): boolean;
  /** Adds a row that deletes the one with the record's key; absent where the sink cannot. */
  remove?(meta: RecordMeta): void;
  clear(): void;
}

/** How an attempt ended. What is thrown instead, fences aside, is an end that is unknown. */
export type WriteEnd =
  /** All rows are in the sink, but these. */
  | { readonly kind: 'stored'; readonly refused: readonly RefusedRow[] }
  /**
   * These rows the sink will never take, and the others are to be written without them. Empty: the rows were looked at,
   * and none is refused. `mayBeStored`: the attempt may have stored some of the others, which the token still covers.
   */
  | { readonly kind: 'examined'; readonly refused: readonly RefusedRow[]; readonly mayBeStored: boolean }
  /** Certain: this attempt stored nothing and never will. */
  | { readonly kind: 'nothing'; readonly error: MillraceError }
  /** All, some or none of it may be there now or in a moment. */
  | { readonly kind: 'unknown'; readonly error: MillraceError };

/** How much each table of a sink has ever taken in, by counts that do not go back. */
export type Mark = Readonly<Record<string, number>>;

/** What is known of a batch of which an attempt has begun. */
export interface Begun {
  /** What `mark` said before the first attempt; null when the sink has no mark, or the entry is of v0.1. */
  readonly mark: Mark | null;
  /** Since before the first attempt; null in an entry of v0.1. */
  readonly ageMs: number | null;
  readonly rows: number;
  /** Where to, when it is not where the sink writes now. */
  readonly otherTarget?: string | undefined;
  /** Why the rows are not those of the first attempt, or go elsewhere; undefined when neither is so. */
  readonly changed: string | undefined;
}

/** What to do with a batch that may be in the sink. */
export type Verdict =
  /** The sink will recognise what it has. */
  | { readonly kind: 'repeat' }
  /** A person has said that it is there. */
  | { readonly kind: 'stored' }
  /** It cannot be told any more, and a person has to say. */
  | { readonly kind: 'ask'; readonly error: MillraceError };

/** How far a sink that keeps the position itself has come. */
export interface StoredPosition {
  readonly position: number;
  /** Of the batch that moved it there; empty before the first. */
  readonly token: string;
}

/** What a person wants when the stored position is not where it was left. */
export type LostPositionPolicy =
  | 'Stop'
  /** Go on from the position in the sink, with what the edge still holds. */
  | 'Reread'
  /** Go on from the position in the commit log. */
  | 'Continue';

interface SinkSlotBase<Rows extends RowBufferPort> {
  /**
   * What remembers a batch of this sink: server and table, or where the position is. A batch that was begun in another one
   * is not known in this. Absent: there is only one.
   */
  readonly target?: string;
  newRows(): Rows;
  /**
   * One attempt to write all rows, or all but `refused`, under `id.token`. `refused` is undefined while the rows have not
   * been examined.
   */
  write(rows: Rows, id: BatchRange, refused: readonly RefusedRow[] | undefined, signal: AbortSignal): Promise<WriteEnd>;
  close(): Promise<void>;
}

/** A sink that recognises what it has by the token, for as long as it remembers. Millrace keeps the position. */
export interface LoggedSinkSlot<Rows extends RowBufferPort = RowBufferPort> extends SinkSlotBase<Rows> {
  readonly positionIn: 'commitLog';
  /** Never more than the truth; null when the sink does not count. */
  mark(signal: AbortSignal): Promise<Mark | null>;
  /** Asked before a batch that may be in the sink is written again. */
  mayRepeat(id: BatchRange, begun: Begun, signal: AbortSignal): Promise<Verdict>;
}

/** A sink that stores the position in the same transaction as the rows. */
export interface PositionedSinkSlot<Rows extends RowBufferPort = RowBufferPort> extends SinkSlotBase<Rows> {
  readonly positionIn: 'sink';
  readonly onPositionLost: LostPositionPolicy;
  storedPosition(signal: AbortSignal): Promise<StoredPosition>;
}

export type SinkSlotPort<Rows extends RowBufferPort = RowBufferPort> = LoggedSinkSlot<Rows> | PositionedSinkSlot<Rows>;

/** A record without a value that deletes the row with its key. */
export const tombstone = Symbol('tombstone');

/**
 * Decoding, schema, steps and route of one stage. Returns the record that becomes a row, or undefined when this sink
 * does not get it. Throws MillraceError with handling `deadLetter` for a record that this stage has to report.
 */
export interface SinkProgram {
  run(
    bytes: Uint8Array,
    start: number,
    end: number,
    meta: RecordMeta,
    nowMs: number,
  ): RecordObject | typeof tombstone | undefined;
  /** Absent when steps look at whole records. */
  readonly flat?: FlatProgram;
}

/** What the program does to records that need not be decoded (model/flat-record.ts); the result is that of `run`. */
export interface FlatProgram {
  /** The records that come next are in these bytes, before `end`. */
  open(bytes: Uint8Array, end: number): void;
  /** Undefined: the record is to be decoded. What it returns stands for the record until the next call. */
  run(start: number, end: number, meta: RecordMeta, nowMs: number): FlatRecord | 'drop' | undefined;
}
