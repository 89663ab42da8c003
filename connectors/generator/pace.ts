/**
 * How many records are due. Counting starts with the first call; records that were due for over a second are dropped.
 */
export class Pace {
  readonly #perMs: number;
  readonly #longestBacklog: number;
  #since: number | undefined;
  #taken = 0;

  /** `perSecond` above 0. */
  constructor(perSecond: number) {
    this.#perMs = perSecond / 1_000;
    this.#longestBacklog = Math.max(1, perSecond);
  }

  due(now: number): number {
    this.#since ??= now - 1 / this.#perMs;
    const due = Math.floor((now - this.#since) * this.#perMs + 1e-6) - this.#taken;
    if (due <= this.#longestBacklog) return Math.max(0, due);
    this.#since = now - this.#longestBacklog / this.#perMs;
    this.#taken = 0;
    return Math.floor(this.#longestBacklog);
  }

  take(records: number): void {
    this.#taken += records;
  }

  /** Until the next record is due, and no shorter than a tick, so that fast paces come in batches. */
  waitMs(now: number): number {
    const next = (this.#since ?? now) + (this.#taken + 1) / this.#perMs - now;
    return Math.max(tickMs, Math.ceil(next));
  }
}

const tickMs = 10;
