/** What a slot's loop tells about itself: metrics and reports are made of it (workers/pod). Calls are cheap and never throw. */
import type { MillraceError } from '../model/errors.ts';
import type { Position } from './record-batch.ts';

/** What a loop may wait for. */
export type WaitsFor = 'edge' | 'sink' | 'deadLetters' | 'stream';

export interface SlotObserver {
  /** The system outside: undefined = connected. */
  connection(error: MillraceError | undefined): void;
  /** Undefined = it goes on. */
  waiting(on: WaitsFor, reason: MillraceError | undefined): void;
  /** Records taken in. */
  took(records: number, bytes: number): void;
  /** Records handed on for certain. */
  handedOn(records: number): void;
  dropped(records: number): void;
  deadLettered(records: number): void;
  frame(bytes: number): void;
  /** One batch of rows was written. */
  batch(rows: number, ms: number): void;
  position(position: Position): void;
}

/** How a slot's loop ended, when it did not fail. */
export type SlotEnd =
  /** Asked to. */
  | 'stopped'
  /** A bounded source has no more records, and all are stored. */
  | 'ended'
  /** Another owner has appended (E4). */
  | 'fenced';

export interface SlotSignals {
  /** Stop taking in; finish what is in flight. */
  readonly stop: AbortSignal;
  /** Give up at once: the lease is lost, or the time to stop is over. */
  readonly abort: AbortSignal;
}
