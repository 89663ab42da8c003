/**
 * What a slot's loop reports about itself, for metrics and reports (workers/pod). Calls are cheap and never throw.
 *
 * An observer belongs to one run of a slot. Calls from a run that has ended are ignored: they must not change what its
 * successor has reported (`workers/pod/state.ts`, R1).
 */
import type { MillraceError } from '../model/errors.ts';
import type { Position } from './record-batch.ts';

/**
 * Which part of a loop waits. Each part clears only what it has reported itself, so a part that continues cannot hide
 * another that still waits. The reason says what it waits for.
 */
export type Waiter =
  /** The part that appends to the edge. */
  | 'edge'
  /** The part that appends intents and commits. */
  | 'commits'
  /** The part that appends to the dead edge. */
  | 'deadLetters'
  /** The part that reads the edge. */
  | 'reader'
  /** The part that reads a frame of the edge again. */
  | 'frames'
  /** The part that needs the plan of a frame. */
  | 'plans'
  /** The part that may not continue before a person has decided. */
  | 'decision';

export interface SlotObserver {
  /** The external system; undefined = connected. */
  connection(error: MillraceError | undefined): void;
  /** Undefined = it continues. */
  waiting(waiter: Waiter, reason: MillraceError | undefined): void;
  /** Records taken in. */
  took(records: number, bytes: number): void;
  /** Records that are certainly handed on. */
  handedOn(records: number): void;
  /** A batch that must be stored once was refused, because the edge keeps as many keys as it may. */
  keyRefused(): void;
  dropped(records: number): void;
  /** Dead letters that are stored, by code. */
  deadLettered(letters: readonly { readonly code: string }[]): void;
  /** Dead letters of any writer that were dropped to make room for later ones. */
  lettersDropped(records: number): void;
  frame(bytes: number): void;
  /** One batch of rows was written. */
  batch(rows: number, ms: number): void;
  position(position: Position): void;
}

/** For `onWaiting` of the parts that a loop uses. */
export function waitingAs(observer: SlotObserver, waiter: Waiter): (reason: MillraceError | undefined) => void {
  return (reason) => observer.waiting(waiter, reason);
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
  /** Take in nothing more; finish what is in flight. */
  readonly stop: AbortSignal;
  /** Stop at once: the lease is lost, or the grace period is over. */
  readonly abort: AbortSignal;
}
