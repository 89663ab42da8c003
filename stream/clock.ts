/**
 * The clock of this machine. Nothing else in this folder may read the time, set a timer or draw a random number
 * (test/house/one-clock.unit.test.ts).
 */
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../model/clock.ts';

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
