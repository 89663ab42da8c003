/**
 * Time, injected: code that waits or measures gets a clock, so that a test decides what time it is, and the simulation
 * runs hours in milliseconds. Nothing else in this folder may read the time, set a timer or draw a random number
 * (test/house/one-clock.unit.test.ts).
 */
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since an arbitrary moment; never decreases, and keeps counting while the process is stopped. */
  monotonic(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `act` once after `ms`, unless the returned function is called before. */
  after(ms: number, act: () => void): () => void;
  /** Resolves when everything else that is ready has run. */
  turn(): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    }
  },
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
  turn: () => turn(),
};
