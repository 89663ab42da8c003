/**
 * Virtual time: a queue of events, one thread, one event at a time.
 *
 * T1  An event runs, then everything that it made ready (promises to their end), then the next event. An event of the
 *     model alone makes nothing ready ({@link World.inside}): the next one follows at once.
 * T2  The clock moves only from one event to the next: what takes no event takes no time.
 * T3  The same seed gives the same run: who comes first at one moment is drawn, not left to the machine.
 * T4  Who waits for some time waits: it may be shorter than what the clock can tell apart.
 */
import type { Machine } from './machine.ts';
import type { Random } from './random.ts';

/** Above what two numbers of this size differ by. */
const leastMs = 2 ** -11;
/** A hundred times what a long run takes. */
const mostEvents = 5_000_000;

interface Event {
  readonly at: number;
  readonly order: number;
  readonly act: () => void;
  readonly machine: Machine | undefined;
  /** Makes no promise ready. */
  readonly isInside: boolean;
  cancelled: boolean;
}

const settled = Promise.resolve();

export class World {
  readonly random: Random;
  readonly #order: Random;
  readonly #heap: Event[] = [];
  #now: number;
  #count = 0;
  #failure: Error | undefined;

  constructor(random: Random, startMs = 1_700_000_000_000) {
    this.random = random;
    this.#order = random.fork('order');
    this.#now = startMs;
  }

  get now(): number {
    return this.#now;
  }

  /** Events so far. */
  get events(): number {
    return this.#count;
  }

  /** `machine`: whose event it is; it is held while that one is frozen and dropped when that one is dead. */
  after(ms: number, act: () => void, machine?: Machine): () => void {
    return this.#plan(ms, act, machine, false);
  }

  /** For what the outside does by itself: `act` runs none of our code and settles no promise, so nothing runs after it. */
  inside(ms: number, act: () => void): () => void {
    return this.#plan(ms, act, undefined, true);
  }

  /** What no part of the model may do: the run ends with it. */
  fail(error: unknown): void {
    this.#failure ??= asError(error);
  }

  /** Runs events until `done` says so, `untilMs` is reached, or nothing is left to happen. Says whether `done` did. */
  run(done: () => boolean, untilMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const step = () => {
        try {
          for (let isInside = true; isInside;) {
            if (this.#failure !== undefined) throw this.#failure;
            if (done()) return resolve(true);
            const event = this.#pop();
            if (event === undefined || event.at > untilMs) {
              if (event !== undefined) this.#push(event);
              this.#now = Math.max(this.#now, Math.min(untilMs, event?.at ?? untilMs));
              return resolve(false);
            }
            this.#now = event.at;
            if (++this.#count > mostEvents) throw new Error(`it spins: ${mostEvents} events, and no end`);
            event.act();
            ({ isInside } = event);
          }
        } catch (error) {
          return reject(asError(error));
        }
        // A tick that is asked for in a microtask comes when no microtask is left (T1); and it costs no turn of the loop.
        void settled.then(tick);
      };
      const tick = () => process.nextTick(step);
      process.nextTick(step);
    });
  }

  #plan(ms: number, act: () => void, machine: Machine | undefined, isInside: boolean): () => void {
    const at = this.#now + Math.max(0, ms);
    const event: Event = {
      // T4
      at: ms > 0 && at === this.#now ? at + leastMs : at,
      order: this.#order.next(),
      act,
      machine,
      isInside,
      cancelled: false,
    };
    this.#push(event);
    return () => {
      event.cancelled = true;
    };
  }

  /** The next event that is to happen; those of frozen machines go to these, those of dead ones nowhere. */
  #pop(): Event | undefined {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined) return undefined;
      this.#removeFirst();
      if (event.cancelled || event.machine?.alive === false) continue;
      if (event.machine?.frozen === true) {
        event.machine.hold(event);
        continue;
      }
      return event;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
