/** Waits for a condition with a deadline: tests never sleep for a fixed time. */
import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Default 10,000 ms. */
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/** Calls `check` until it neither throws nor returns false, and returns its value; rethrows the last failure. */
export async function eventually<T>(check: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const deadline = Date.now() + (options.timeoutMs ?? 10_000);
  for (;;) {
    try {
      const value = await check();
      if (value !== false) return value;
      if (Date.now() > deadline) throw new Error('the condition did not hold in time');
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await delay(options.intervalMs ?? 20);
  }
}
