/**
 * Waits for a condition: tests never sleep for a fixed time.
 *
 * There is one deadline for all waits, and its only purpose is to find what hangs. A deadline that fits a quiet machine
 * fails on a busy one, and says nothing about the code.
 */
import { setTimeout as delay } from 'node:timers/promises';

/** Ten times what the slowest wait needs with ten busy loops running. */
export const hangMs = 240_000;

export interface EventuallyOptions {
  /** Between two checks. Default 20 ms. */
  readonly intervalMs?: number;
}

/** Calls `check` until it neither throws nor returns false, and returns its value; rethrows the last failure. */
export async function eventually<T>(check: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const deadline = performance.now() + hangMs;
  for (;;) {
    try {
      const value = await check();
      if (value !== false) return value;
      if (performance.now() > deadline) throw new Error('the condition did not hold in time');
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await delay(options.intervalMs ?? 20);
  }
}
