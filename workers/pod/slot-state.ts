/**
 * The state of one slot of this pod: what its present run has reported, and what outlives a run.
 *
 * R1  Only the present run counts. An earlier run, or one that ends after the slot was given away, may still report:
 *     its reports are ignored.
 * R2  The reports of a run end with it, so an aborted wait need not be cleared.
 * R3  A failure stays until the slot makes progress again: a slot that fails at each start is not well in between.
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
  /** When the write was sent that is not answered yet; undefined: none. */
  askedAt: number | undefined;
}

/**
 * A wait is reported once it has lasted this long: at a nearly full edge each frame waits a little, and records move.
 */
const waitPatienceMs = 2_000;
/** A write that takes longer is reported before its request times out. */
const silenceMs = 10_000;

export class SlotState {
  position: Position = null;
  failure: MillraceError | undefined;
  #run: Run;
  #told = false;
  /** When the position last moved, or there was no backlog. */
  #movedAt: number;

  constructor(connection: Connection, now: number) {
    this.#run = newRun(connection);
    this.#movedAt = now;
  }

  get run(): Run {
    return this.#run;
  }

  /**
   * R1, R2. The new run takes over the connection state of the previous one: a new run does not make a server answer.
   */
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

  /** The first position of a run is its start, and a move only if it differs from the last one. */
  moved(position: Position, now: number): void {
    if (this.#told || JSON.stringify(position) !== JSON.stringify(this.position)) {
      this.#movedAt = now;
      this.failure = undefined;
    }
    this.#told = true;
    this.position = position;
  }

  /** Backlog of the slot; undefined: unknown. Each call also notes when there was none. */
  lagAt(now: number): number | undefined {
    const lag = this.#run.lag();
    if (lag === 0) this.#movedAt = Math.max(this.#movedAt, now);
    return lag;
  }

  /** Since when a backlog has not moved although it should have; undefined: no backlog, or unknown. */
  stillSince(now: number, patienceMs: number): number | undefined {
    const since = this.#movedAt + patienceMs;
    return (this.lagAt(now) ?? 0) > 0 && since <= now ? since : undefined;
  }

  /** The connection, with a write that is not answered as a failure. `outside`: name of the sink. */
  connectionAt(now: number, outside: string): Connection {
    const { connection, askedAt } = this.#run;
    if (typeof connection !== 'string' || askedAt === undefined || now - askedAt < silenceMs) return connection;
    return mr('MR_SINK_SILENT', { sink: outside, since: new Date(askedAt).toISOString() });
  }

  /** Waits that have lasted long enough to be reported, longest first. */
  waitsAt(now: number): readonly { readonly waiter: Waiter; readonly reason: MillraceError }[] {
    return [...this.#run.waits]
      .filter(([, { since }]) => now - since >= waitPatienceMs)
      .sort(([, a], [, b]) => a.since - b.since)
      .map(([waiter, { reason }]) => ({ waiter, reason }));
  }

  /** Sets or clears a wait. It keeps its start while the code of the reason stays the same. */
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
