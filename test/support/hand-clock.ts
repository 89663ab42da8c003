/** A clock that a test moves by hand: what is due by then happens in order, each with time for its consequences. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../model/clock.ts';

export class HandClock implements Clock {
  #now: number;
  #due: { readonly at: number; readonly act: () => void }[] = [];

  constructor(now = 1_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      if (signal?.aborted === true) return fail();
      const cancel = this.after(ms, resolve);
      signal?.addEventListener('abort', () => (cancel(), fail()), { once: true });
    });
  }

  after(ms: number, act: () => void): () => void {
    const timer = { at: this.#now + ms, act };
    this.#due.push(timer);
    return () => void (this.#due = this.#due.filter((each) => each !== timer));
  }

  turn(): Promise<void> {
    return turn();
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const [next] = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#due = this.#due.filter((each) => each !== next);
      this.#now = Math.max(this.#now, next.at);
      next.act();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets everything run that can. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turn();
}
