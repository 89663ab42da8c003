/**
 * How often something of one pipeline may be written: its status, or Events of it.
 *
 * W1  The first change is written at once; of a status then no more than one a second, and after a burst one in ten seconds.
 *     That a pipeline is Ready no longer waits a second at most: it says so again only after a write that the burst allows.
 * W2  Two who disagree are bounded by this, whatever they disagree about; so is one who changes its mind.
 *
 * A pipeline that is being set up changes its status some ten times within as many seconds: that is the burst.
 */
export interface Pace {
  readonly betweenMs: number;
  readonly refillMs: number;
  readonly burst: number;
}

const paceOfStatus: Pace = { betweenMs: 1_000, refillMs: 10_000, burst: 10 };

export class WritePace {
  readonly #pace: Pace;
  #tokens: number;
  #filledAt: number | undefined;
  #writtenAt = -Infinity;

  constructor(pace = paceOfStatus) {
    this.#pace = pace;
    this.#tokens = pace.burst;
  }

  /** When the next write is allowed; not after `now`: at once. */
  nextAt(now: number): number {
    this.#fill(now);
    const full = this.#tokens > 0 ? now : (this.#filledAt ?? now) + this.#pace.refillMs;
    return Math.max(full, this.#writtenAt + this.#pace.betweenMs);
  }

  /** A write that only says something better, without being urgent. */
  nextIdleAt(): number {
    return this.#writtenAt + this.#pace.refillMs;
  }

  /** A write that takes back what holds no longer. Its claim can come back by another write only, which is bounded. */
  nextTakingBackAt(): number {
    return this.#writtenAt + this.#pace.betweenMs;
  }

  wrote(now: number): void {
    this.#fill(now);
    this.#tokens = Math.max(0, this.#tokens - 1);
    this.#writtenAt = now;
  }

  #fill(now: number): void {
    const { burst, refillMs } = this.#pace;
    if (this.#filledAt === undefined || this.#tokens === burst) this.#filledAt = now;
    const more = Math.floor((now - this.#filledAt) / refillMs);
    if (more <= 0) return;
    this.#tokens = Math.min(burst, this.#tokens + more);
    this.#filledAt += more * refillMs;
  }
}
