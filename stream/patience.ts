/**
 * How long a slot keeps retrying after it is asked to stop.
 *
 * T1  With nothing at stake it stops at once.
 * T2  While it is unknown whether a write happened, it retries for some time: a pause that was acknowledged in that
 *     state would leave a write behind that nobody waits for (I12). After that time the next owner has to find out.
 */
import type { Clock } from '../model/clock.ts';
import type { SlotSignals } from './slot-observer.ts';

const settleMs = 15_000;
/** While a stop is pending, an external system is asked more often. */
const hurriedMs = 1_000;

export class Patience {
  readonly #clock: Clock;
  readonly #signals: SlotSignals;
  readonly #end = new AbortController();
  readonly #cancel: () => void;

  constructor(clock: Clock, signals: SlotSignals) {
    this.#clock = clock;
    this.#signals = signals;
    let cancelTimer = () => {};
    const began = () => {
      cancelTimer = clock.after(settleMs, () => this.#end.abort(signals.stop.reason));
    };
    if (signals.stop.aborted) began();
    else signals.stop.addEventListener('abort', began, { once: true });
    this.#cancel = () => {
      signals.stop.removeEventListener('abort', began);
      cancelTimer();
    };
  }

  /** Waits before the next attempt. Rejects with the signal's reason when there must be no further attempt. */
  async wait(ms: number, isAtStake: boolean): Promise<void> {
    const { stop, abort } = this.#signals;
    if (!isAtStake) return this.#clock.sleep(ms, AbortSignal.any([stop, abort]));
    const end = AbortSignal.any([abort, this.#end.signal]);
    end.throwIfAborted();
    if (stop.aborted) return this.#clock.sleep(Math.min(ms, hurriedMs), end);
    try {
      await this.#clock.sleep(ms, AbortSignal.any([stop, end]));
    } catch (error) {
      if (end.aborted) throw error;
      // Asked to stop while it waited: the next attempt is due now.
    }
  }

  close(): void {
    this.#cancel();
  }
}
