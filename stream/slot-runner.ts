/**
 * The slots that a pod owns, each with a running loop: starts one when a lease is acquired, ends it when it is lost.
 *
 * N1  Never two loops of one slot in this process: the next starts when the previous one has ended.
 * N2  A lost lease aborts the loop. A slot that is given away, and every slot at the end, may finish what is in flight
 *     within a grace period. A slot that was taken while the pod was already stopping is asked to stop like all others.
 * N3  A loop that fails is restarted after a backoff, for as long as the slot is owned; the failure is reported. One that
 *     a new start puts right (a sink's table was altered) is not, unless it comes back several times and nothing is taken
 *     in between, however long that takes.
 */
import { backoffMs, outsideBackoff } from './backoff.ts';
import { isFence } from './fence.ts';
import type { Clock } from '../model/clock.ts';
import { Leases, type LeasesOptions, type LossReason } from './leases.ts';
import type { SlotEnd, SlotSignals } from './slot-observer.ts';

export interface SlotRunnerOptions extends Omit<LeasesOptions, 'onAcquire' | 'onLose' | 'onFailure'> {
  readonly clock: Clock;
  readonly random: () => number;
  /**
   * Works on a slot until its signals stop it. Resolves `fenced` when there is another owner. `gotOn`: to be called when
   * records were taken.
   */
  readonly work: (slot: number, signals: SlotSignals, gotOn: () => void) => Promise<SlotEnd>;
  /** `why`: for people; given when the slot is no longer owned. */
  readonly onOwned: (slot: number, owned: boolean, why?: string) => void;
  /** `slot` is undefined when the leases themselves failed. */
  readonly onFailure: (slot: number | undefined, error: unknown) => void;
}

interface Running {
  readonly slot: number;
  readonly stop: AbortController;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** New starts that nobody is told of, while nothing is taken. */
const mostUntold = 3;

/** How long a slot that is given to another pod may take to finish what is in flight. */
const handOverMs = 20_000;

export class SlotRunner {
  readonly #options: SlotRunnerOptions;
  readonly #leases: Leases;
  readonly #owned = new Map<number, Running>();
  /** Given away or lost, and not yet ended. */
  readonly #leaving = new Set<Running>();
  #isStopping = false;

  constructor(options: SlotRunnerOptions) {
    this.#options = options;
    this.#leases = new Leases({
      ...options,
      onAcquire: (slot) => this.#begin(slot),
      onLose: (slot, reason, why) => this.#lose(slot, reason, why),
      onFailure: (error) => options.onFailure(undefined, error),
    });
  }

  get silentMs(): number {
    return this.#leases.silentMs;
  }

  start(): void {
    this.#leases.start();
  }

  /** Lets every loop finish what is in flight, for at most `graceMs`; each slot is released when its loop has ended. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#leases.takeNoMore();
    const leaving = [...this.#leaving];
    const ending = [...this.#owned.values()].map((running) => this.#giveAway(running, 'the pod stops', graceMs));
    const cancel = this.#options.clock.after(graceMs, () => leaving.forEach(abortLate));
    await Promise.all([...ending, ...leaving.map(({ done }) => done)]);
    cancel();
    await this.#leases.stop();
  }

  #begin(slot: number): void {
    const stop = new AbortController();
    const abort = new AbortController();
    const before = [...this.#leaving].filter((running) => running.slot === slot).map(({ done }) => done);
    const done = Promise.all(before).then(() =>
      this.#run(slot, { stop: AbortSignal.any([stop.signal, abort.signal]), abort: abort.signal }),
    );
    const running = { slot, stop, abort, done };
    this.#owned.set(slot, running);
    this.#options.onOwned(slot, true);
    if (this.#isStopping) void this.#giveAway(running, 'the pod stops', 0);
  }

  #lose(slot: number, reason: LossReason, why: string): void {
    const running = this.#owned.get(slot);
    if (reason === 'rebalance') {
      if (running !== undefined) void this.#giveAway(running, why, handOverMs);
      return;
    }
    // A slot that is being given away loses its lease like any other when the lease is not renewed.
    for (const one of this.#leaving) if (one.slot === slot) one.abort.abort(new Error(why));
    if (running === undefined) return;
    running.abort.abort(new Error(why));
    this.#options.onOwned(slot, false, why);
    void this.#leave(running);
  }

  async #giveAway(running: Running, why: string, graceMs: number): Promise<void> {
    running.stop.abort(new Error(why));
    const cancel = this.#options.clock.after(graceMs, () => abortLate(running));
    await this.#leave(running);
    cancel();
    // Lost meanwhile and acquired again: that lease belongs to the next run.
    if (this.#owned.has(running.slot)) return;
    this.#options.onOwned(running.slot, false, why);
    await this.#leases.release(running.slot);
  }

  /** The next run of the slot waits for this before it starts. */
  async #leave(running: Running): Promise<void> {
    this.#owned.delete(running.slot);
    this.#leaving.add(running);
    await running.done;
    this.#leaving.delete(running);
  }

  async #run(slot: number, signals: SlotSignals): Promise<void> {
    const { clock, random, work, onFailure } = this.#options;
    let untold = 0;
    const gotOn = () => {
      untold = 0;
    };
    for (let failures = 0; !signals.stop.aborted;) {
      try {
        const end = await work(slot, signals, gotOn);
        // A bounded source that has ended keeps its slot: another owner would only find the end again.
        if (end !== 'fenced') return;
        failures = 0;
        gotOn();
      } catch (error) {
        if (isStopped(signals)) return;
        untold = isFence(error) ? untold + 1 : 0;
        if (untold > 0 && untold <= mostUntold) {
          failures = 0;
        } else {
          onFailure(slot, error);
          failures++;
        }
      }
      // Fenced although the lease is ours: the former owner is finishing. Read the new tail and continue from there.
      await clock.sleep(backoffMs(outsideBackoff, failures, random), signals.stop).catch(() => undefined);
    }
  }
}

function isStopped(signals: SlotSignals): boolean {
  return signals.stop.aborted;
}

function abortLate({ abort }: Running): void {
  abort.abort(new Error('the time to stop is over'));
}
