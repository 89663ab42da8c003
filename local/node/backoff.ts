/**
 * When an ended container may start again: after `baseMs`, doubled with each end, up to `maxMs`; after a run of
 * `resetMs` it starts with `baseMs` again. kubelet has 10 s, 5 min, 10 min; {@link localBackoff} is smaller, because
 * a person waits.
 */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly resetMs: number;
}

export const localBackoff: Backoff = { baseMs: 1_000, maxMs: 30_000, resetMs: 600_000 };

/** How many times in a row the container ended early. 0: after its next end it is started at once. */
export type Streak = number;

export function nextStreak(streak: Streak, ranMs: number, backoff: Backoff): Streak {
  return ranMs >= backoff.resetMs ? 1 : streak + 1;
}

/** The wait before the start that follows end number `streak`. The first one is not delayed, as with kubelet. */
export function delayOf(streak: Streak, backoff: Backoff): number {
  if (streak <= 1) return 0;
  return Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(streak - 2, 30));
}
