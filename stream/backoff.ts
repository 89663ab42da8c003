/**
 * Capped exponential backoff with jitter: attempt 0 waits about `firstMs`, each later one up to twice the one before.
 */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** For requests to nats-server: it is close, and reachable again within a second after a restart. */
export const natsBackoff: Backoff = { firstMs: 50, maxMs: 1_000 };
/** For a full edge: as often as its reader may have made room. */
export const fullBackoff: Backoff = { firstMs: 20, maxMs: 500 };
/** For external systems, which eager retries can keep from recovering. */
export const outsideBackoff: Backoff = { firstMs: 500, maxMs: 10_000 };

/** Between half and all of the exponential delay, so that pods that failed together do not return together. */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number): number {
  const full = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt, 30));
  return full * (0.5 + random() / 2);
}
