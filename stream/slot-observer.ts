/**
 * What a slot's loop tells about itself: metrics and reports are made of it (workers/pod). Calls are cheap and never throw.
 *
 * An observer belongs to one run of a slot. What a run that has ended still says is not heard: it must not change what
 * its successor has said (`workers/pod/state.ts`, R1).
 */
import type { MillraceError } from '../model/errors.ts';
import type { Position } from './record-batch.ts';

/**
 * Which part of a loop waits. Each part clears only what it has said itself, so a part that goes on cannot hide another
 * that still waits. What is waited for is in the reason.
 */
export type Waiter =
  /** Who appends to the edge. */
  | 'edge'
  /** Who appends intents and commits. */
  | 'commits'
  /** Who appends to the dead edge. */
  | 'deadLetters'
  /** Who reads the edge. */
  | 'reader'
  /** Who reads a frame of the edge once more. */
  | 'frames'
  /** Who needs the plan of a frame. */
  | 'plans'
  /** Who may not go on before a person has decided. */
  | 'decision';

export interface SlotObserver {
  /** The system outside: undefined = connected. */
  connection(error: MillraceError | undefined): void;
  /** Undefined = it goes on. */
  waiting(waiter: Waiter, reason: MillraceError | undefined): void;
  /** Records taken in. */
  took(records: number, bytes: number): void;
  /** Records handed on for certain. */
  handedOn(records: number): void;
  /** What was to be stored once is not, because the edge keeps as many keys as it may. */
  keyRefused(): void;
  dropped(records: number): void;
  /** Dead letters that are stored, by code. */
  deadLettered(letters: readonly { readonly code: string }[]): void;
  /** Dead letters that gave way to later ones, of whichever writer. */
  lettersDropped(records: number): void;
  frame(bytes: number): void;
  /** One batch of rows was written. */
  batch(rows: number, ms: number): void;
  position(position: Position): void;
}

/** For `onWaiting` of what a part of a loop uses. */
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
  /** Stop taking in; finish what is in flight. */
  readonly stop: AbortSignal;
  /** Give up at once: the lease is lost, or the time to stop is over. */
  readonly abort: AbortSignal;
}
