/** Waits for a part that a process needs, and logs that it waits. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { problemOf } from '../../model/errors.ts';

export interface UntilUpOptions {
  /** `Temporal at 127.0.0.1:7233`. */
  readonly part: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** After the first failure; doubles up to 5 s. Default 250 ms. */
  readonly retryMs?: number;
}

const maxRetryMs = 5_000;
/** Between two lines of the log that say that a process still waits. */
export const repeatLogMs = 15_000;

/** The value of `connect`, tried until it succeeds. Rejects when `signal` is aborted. */
export async function untilUp<T>(
  { part, log, signal, retryMs = 250 }: UntilUpOptions,
  connect: () => Promise<T>,
): Promise<T> {
  let saidAt = -Infinity;
  for (let pauseMs = retryMs; ; pauseMs = Math.min(pauseMs * 2, maxRetryMs)) {
    signal.throwIfAborted();
    try {
      const value = await connect();
      if (saidAt > 0) log.info({ part }, `${part} is up`);
      return value;
    } catch (error) {
      if (Date.now() - saidAt >= repeatLogMs) {
        saidAt = Date.now();
        log.warn({ part, problem: problemOf(error) }, `waiting for ${part}`);
      }
      await delay(pauseMs, undefined, { signal });
    }
  }
}
