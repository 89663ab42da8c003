/**
 * How often the status of one pipeline, or Events about it, may be written.
 *
 * W1  The first change is written at once; then a status at most once a second, and after a burst once in ten seconds.
 *     The loss of Ready waits a second at most; Ready comes back only with a write that the burst allows.
 * W2  This limits two writers that disagree, whatever they disagree about, and one that keeps changing its mind.
 *
 * A pipeline that is being set up changes its status about ten times in as many seconds: that is the burst.
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

  /** When the next write is allowed: at once if not after `now`. */
  nextAt(now: number): number {
    this.#fill(now);
    const full = this.#tokens > 0 ? now : (this.#filledAt ?? now) + this.#pace.refillMs;
    return Math.max(full, this.#writtenAt + this.#pace.betweenMs);
  }

  /** When a write that is not urgent is allowed. */
  nextIdleAt(): number {
    return this.#writtenAt + this.#pace.refillMs;
  }

  /**
   * When a write that withdraws a claim is allowed. The claim can only come back by another write, which is limited.
   */
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
