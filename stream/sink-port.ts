/** What the sink loop needs of a sink, and what connectors implement (`SinkSlot` of connectors/connector.ts). */
import type { MillraceError } from '../model/errors.ts';
import type { FlatRecord } from '../model/flat-record.ts';
import type { RecordMeta, RecordObject } from '../model/value.ts';

export interface BatchRange {
  readonly from: number;
  readonly to: number;
  readonly after: number;
  readonly token: string;
  /** Checksum of the frames: the range is repeated with these frames or not at all. Absent in entries of v0.1. */
  readonly check?: number | undefined;
}

export interface RefusedRow {
  readonly row: number;
  readonly error: MillraceError;
}

/** A row that is refused, or that could not be made, by the number of its record in the batch (Y4 of `./refused-set.ts`). */
export interface RefusedRecord {
  readonly record: number;
  readonly error: MillraceError;
}

export interface RowBufferPort {
  readonly rows: number;
  readonly bytes: number;
  /** Encodes one row at the end. Throws MillraceError MR_RECORD_MISFIT and leaves the buffer as it was. */
  add(value: RecordObject, meta: RecordMeta): void;
  /**
   * The same row as `add` makes of the decoded record. False when it cannot, or when it does not fit: nothing was
   * added, and `add` is asked. Absent where records are always decoded.
   */
  addFlat?(record: FlatRecord): boolean;
  /** Adds a row that deletes the one with the record's key. Throws like `add`. Absent where the sink cannot delete. */
  remove?(meta: RecordMeta): void;
  /** Discards all rows and keeps the memory. */
  clear(): void;
}

/** The outcome of an attempt. A thrown error, unless it is of handling `fence`, means that the outcome is unknown. */
export type WriteEnd =
  /** All rows are in the sink, except these. */
  | { readonly kind: 'stored'; readonly refused: readonly RefusedRow[] }
  /**
   * The sink will never accept these rows; the others must be written without them. Empty: the rows were examined, and
   * none is refused. `mayBeStored`: the attempt may have stored some of the others, which the token still covers.
   * `shape`: {@link LoggedSinkSlot.shape} of the time at which they were examined.
   */
  | {
      readonly kind: 'examined';
      readonly refused: readonly RefusedRow[];
      readonly mayBeStored: boolean;
      readonly shape?: string;
    }
  /** Certain: this attempt stored nothing and never will. */
  | { readonly kind: 'nothing'; readonly error: MillraceError }
  /** All, some or none of it may be stored now or shortly. */
  | { readonly kind: 'unknown'; readonly error: MillraceError };

/** How much each table of a sink has ever taken in, by counters that never decrease. */
export type Mark = Readonly<Record<string, number>>;

/** What is known about a batch for which an attempt was started. */
export interface Begun {
  /** Result of `mark` before the first attempt; null when the sink has no mark, or the entry is of v0.1. */
  readonly mark: Mark | null;
  /** From before the first attempt; null in an entry of v0.1. */
  readonly ageMs: number | null;
  readonly rows: number;
  /** The target of the batch, when it differs from where the sink writes now. */
  readonly otherTarget?: string | undefined;
  /** Why rows or target differ from those of the first attempt; undefined when they are the same. */
  readonly changed: string | undefined;
}

/** What to do with a batch that may be in the sink. */
export type Verdict =
  /** Repeat it: the sink will recognise what it has. With `changed`: a person has confirmed that it is not there. */
  | { readonly kind: 'repeat' }
  /** A person has confirmed that it is there. */
  | { readonly kind: 'stored' }
  /** It can no longer be determined, and a person must decide. */
  | { readonly kind: 'ask'; readonly error: MillraceError };

/** How far a sink that keeps the position itself has got. */
export interface StoredPosition {
  readonly position: number;
  /** Token of the batch that moved it there; empty before the first. */
  readonly token: string;
}

/** What a person wants when the stored position is not the expected one. */
export type LostPositionPolicy =
  | 'Stop'
  /** Continue from the position in the sink, with what the edge still holds. */
  | 'Reread'
  /** Continue from the position in the commit log. */
  | 'Continue';

interface SinkSlotBase<Rows extends RowBufferPort> {
  /**
   * Identifies what remembers a batch of this sink: server and table, or where the position is stored. A batch that was
   * started in another target is unknown in this one. It is kept in the commit log and told to people: a name
   * (`./target-name.ts`) where something of it is secret. Absent: there is only one.
   */
  readonly target?: string;
  newRows(): Rows;
  /**
   * One attempt to write all rows, or all but `refused`, under `id.token`. `refused` is undefined while the rows have
   * not been examined.
   */
  write(rows: Rows, id: BatchRange, refused: readonly RefusedRow[] | undefined, signal: AbortSignal): Promise<WriteEnd>;
  close(): Promise<void>;
}

/** A sink that recognises a batch by its token, for as long as it remembers the token. Millrace keeps the position. */
export interface LoggedSinkSlot<Rows extends RowBufferPort = RowBufferPort> extends SinkSlotBase<Rows> {
  readonly positionIn: 'commitLog';
  /**
   * Of all that decides which rows the sink refuses: another text once it may refuse others. Valid for the batch that
   * is begun after `mark`. Absent: that never changes.
   */
  readonly shape?: string;
  /** Never more than was really taken in; null when the sink does not count. */
  mark(signal: AbortSignal): Promise<Mark | null>;
  /** Called before a batch that may be in the sink is written again. */
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
 * does not get it. Throws MillraceError with handling `deadLetter` for a record that becomes a dead letter of this
 * stage.
 */
export interface SinkProgram {
  run(
    bytes: Uint8Array,
    start: number,
    end: number,
    meta: RecordMeta,
    nowMs: number,
  ): RecordObject | typeof tombstone | undefined;
  /** Absent when steps need whole records. */
  readonly flat?: FlatProgram;
}

/** The program for records that need not be decoded (model/flat-record.ts); its result equals that of `run`. */
export interface FlatProgram {
  /** The next records are in these bytes, before `end`. */
  open(bytes: Uint8Array, end: number): void;
  /** Undefined: the record must be decoded. The returned object is reused by the next call. */
  run(start: number, end: number, meta: RecordMeta, nowMs: number): FlatRecord | 'drop' | undefined;
}
