/**
 * How often one pipeline's status may be written.
 *
 * W1  The first change is written at once; then no more than one a second, and after a burst one in ten seconds.
 * W2  Two who disagree are bounded by this, whatever they disagree about; so is one who changes its mind.
 *
 * A pipeline that is being set up changes its status some ten times within as many seconds: that is the burst.
 */
const betweenMs = 1_000;
const refillMs = 10_000;
const burst = 10;

export class WritePace {
  #tokens = burst;
  #filledAt: number | undefined;
  #writtenAt = -Infinity;

  /** When the next write is allowed; not after `now`: at once. */
  nextAt(now: number): number {
    this.#fill(now);
    const full = this.#tokens > 0 ? now : (this.#filledAt ?? now) + refillMs;
    return Math.max(full, this.#writtenAt + betweenMs);
  }

  /** A write that only says something better, without being urgent. */
  nextIdleAt(): number {
    return this.#writtenAt + refillMs;
  }

  wrote(now: number): void {
    this.#fill(now);
    this.#tokens = Math.max(0, this.#tokens - 1);
    this.#writtenAt = now;
  }

  #fill(now: number): void {
    if (this.#filledAt === undefined || this.#tokens === burst) this.#filledAt = now;
    const more = Math.floor((now - this.#filledAt) / refillMs);
    if (more <= 0) return;
    this.#tokens = Math.min(burst, this.#tokens + more);
    this.#filledAt += more * refillMs;
  }
}
