/**
 * The slots that a pod owns, each with a loop at work: starts one when a lease is acquired, ends it when it is lost.
 *
 * N1  Never two loops of one slot in this process: the next begins when the one before has ended.
 * N2  A lost lease aborts the loop; a slot that is given away, and all slots at the end, get to finish what is in flight.
 * N3  A loop that fails begins again after a backoff, for as long as the slot is owned; the failure is told.
 */
import { backoffMs, outsideBackoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import { Leases, type LeasesOptions, type LossReason } from './leases.ts';
import type { SlotEnd, SlotSignals } from './slot-observer.ts';

export interface SlotRunnerOptions extends Omit<LeasesOptions, 'onAcquire' | 'onLose' | 'onFailure'> {
  readonly clock: Clock;
  readonly random: () => number;
  /** Works on a slot until its signals say so. Resolves `fenced` when another owner was met. */
  readonly work: (slot: number, signals: SlotSignals) => Promise<SlotEnd>;
  readonly onOwned: (slot: number, owned: boolean) => void;
  /** `slot` is undefined when the leases themselves failed. */
  readonly onFailure: (slot: number | undefined, error: unknown) => void;
}

interface Running {
  readonly stop: AbortController;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

export class SlotRunner {
  readonly #options: SlotRunnerOptions;
  readonly #leases: Leases;
  readonly #running = new Map<number, Running>();
  readonly #ending = new Map<number, Promise<void>>();

  constructor(options: SlotRunnerOptions) {
    this.#options = options;
    this.#leases = new Leases({
      ...options,
      onAcquire: (slot) => this.#begin(slot),
      onLose: (slot, reason) => this.#lose(slot, reason),
      onFailure: (error) => options.onFailure(undefined, error),
    });
  }

  get silentMs(): number {
    return this.#leases.silentMs;
  }

  start(): void {
    this.#leases.start();
  }

  /** Lets every loop finish what is in flight, for at most `graceMs`, then releases the leases. */
  async stop(graceMs: number): Promise<void> {
    const running = [...this.#running.values()];
    for (const { stop } of running) stop.abort(new Error('the pod stops'));
    const cancel = this.#options.clock.after(graceMs, () =>
      running.forEach(({ abort }) => abort.abort(new Error('the time to stop is over'))),
    );
    await Promise.all([...running.map(({ done }) => done), ...this.#ending.values()]);
    cancel();
    await this.#leases.stop();
  }

  #begin(slot: number): void {
    const stop = new AbortController();
    const abort = new AbortController();
    const before = this.#ending.get(slot) ?? Promise.resolve();
    const done = before.then(() =>
      this.#run(slot, { stop: AbortSignal.any([stop.signal, abort.signal]), abort: abort.signal }),
    );
    this.#running.set(slot, { stop, abort, done });
    this.#options.onOwned(slot, true);
  }

  #lose(slot: number, reason: LossReason): void {
    const running = this.#running.get(slot);
    if (running === undefined) return;
    this.#running.delete(slot);
    this.#options.onOwned(slot, false);
    if (reason === 'expired') running.abort.abort(new Error('the lease is lost'));
    else running.stop.abort(new Error('another pod takes over'));
    const ended = running.done
      .then(() => (reason === 'rebalance' ? this.#leases.release(slot) : undefined))
      .finally(() => {
        if (this.#ending.get(slot) === ended) this.#ending.delete(slot);
      });
    this.#ending.set(slot, ended);
  }

  async #run(slot: number, signals: SlotSignals): Promise<void> {
    const { clock, random, work, onFailure } = this.#options;
    for (let failures = 0; !signals.stop.aborted;) {
      try {
        const end = await work(slot, signals);
        // A bounded source that has ended keeps its slot: the next owner would find the end again.
        if (end !== 'fenced') return;
        failures = 0;
      } catch (error) {
        if (isStopped(signals)) return;
        onFailure(slot, error);
        failures++;
      }
      // Fenced with a lease of our own: the former owner is finishing. It reads the new tail and goes on from there.
      await clock.sleep(backoffMs(outsideBackoff, failures, random), signals.stop).catch(() => undefined);
    }
  }
}

function isStopped(signals: SlotSignals): boolean {
  return signals.stop.aborted;
}
