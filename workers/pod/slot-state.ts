/**
 * What one slot of this pod says about itself: what its present run has said, and what must outlive a run.
 *
 * R1  Only the present run is heard. An earlier run of the slot, or one that ends after the slot was given away, may go on
 *     talking: nothing that it says changes anything here.
 * R2  What a run has said ends with it: a wait that was aborted needs nobody who clears it.
 * R3  A failure stays until the slot gets on again: a slot that fails each time it begins is not well in between.
 */
import { mr, type MillraceError } from '../../model/errors.ts';
import type { Position } from '../../stream/record-batch.ts';
import type { Waiter } from '../../stream/slot-observer.ts';

export type Connection = 'Connecting' | 'Connected' | MillraceError;

interface Wait {
  readonly reason: MillraceError;
  readonly since: number;
}

/** One run of the slot's loop. */
export interface Run {
  connection: Connection;
  readonly waits: Map<Waiter, Wait>;
  lag: () => number | undefined;
  /** Since when the system outside owes an answer to a write. */
  askedAt: number | undefined;
}

/** A wait is told once it has lasted so long: an edge at its limit makes each frame wait a little, and records move. */
const waitPatienceMs = 2_000;
/** A write that takes longer is told: whoever looks should not have to wait for the time-out of the request. */
const silenceMs = 10_000;

export class SlotState {
  position: Position = null;
  failure: MillraceError | undefined;
  #run: Run;
  #told = false;
  /** When the position moved last, or there was nothing to move it. */
  #movedAt: number;

  constructor(connection: Connection, now: number) {
    this.#run = newRun(connection);
    this.#movedAt = now;
  }

  get run(): Run {
    return this.#run;
  }

  /** R1, R2. The system outside is as the run before knew it: a new run does not make it answer. */
  begin(): Run {
    const { connection } = this.#run;
    this.#told = false;
    return (this.#run = newRun(connection));
  }

  /** The present run ended with an error. */
  failed(error: MillraceError): void {
    this.failure = error;
    this.begin();
  }

  /** The first position of a run is where it begins: it is a move only when it differs. */
  moved(position: Position, now: number): void {
    if (this.#told || JSON.stringify(position) !== JSON.stringify(this.position)) {
      this.#movedAt = now;
      this.failure = undefined;
    }
    this.#told = true;
    this.position = position;
  }

  /** What waits before the slot; looking at it is how it is known since when something does. */
  lagAt(now: number): number | undefined {
    const lag = this.#run.lag();
    if (lag === 0) this.#movedAt = Math.max(this.#movedAt, now);
    return lag;
  }

  /** Since when something waits that should have moved; undefined: nothing waits, or nobody can tell. */
  stillSince(now: number, patienceMs: number): number | undefined {
    const since = this.#movedAt + patienceMs;
    return (this.lagAt(now) ?? 0) > 0 && since <= now ? since : undefined;
  }

  /** With a write that is not answered. `outside` is its name. */
  connectionAt(now: number, outside: string): Connection {
    const { connection, askedAt } = this.#run;
    if (typeof connection !== 'string' || askedAt === undefined || now - askedAt < silenceMs) return connection;
    return mr('MR_SINK_SILENT', { sink: outside, since: new Date(askedAt).toISOString() });
  }

  /** Waits that are worth telling, the one that has lasted longest first. */
  waitsAt(now: number): readonly { readonly waiter: Waiter; readonly reason: MillraceError }[] {
    return [...this.#run.waits]
      .filter(([, { since }]) => now - since >= waitPatienceMs)
      .sort(([, a], [, b]) => a.since - b.since)
      .map(([waiter, { reason }]) => ({ waiter, reason }));
  }

  /** A wait keeps its beginning while its reason is of the same kind. */
  waiting(waiter: Waiter, reason: MillraceError | undefined, now: number): void {
    const { waits } = this.#run;
    const before = waits.get(waiter);
    if (reason === undefined) waits.delete(waiter);
    else waits.set(waiter, { reason, since: before?.reason.code === reason.code ? before.since : now });
  }
}

function newRun(connection: Connection): Run {
  return { connection, waits: new Map(), lag: () => undefined, askedAt: undefined };
}
