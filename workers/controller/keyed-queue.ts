/**
 * Keys that need work.
 *
 * Q1  A key is in at most one worker; added again meanwhile, it runs once more afterwards.
 * Q2  A failed key is retried after a pause that doubles, with jitter; success resets the pause.
 * Q3  Only the key is queued: the worker reads the newest state.
 */
import type { Clock } from '../../model/clock.ts';

export interface KeyedQueueOptions {
  readonly work: (key: string) => Promise<void>;
  readonly onError: (key: string, error: unknown, retryInMs: number) => void;
  /** Keys worked on at once. Default 8. */
  readonly concurrency?: number;
  /** Pause after the first failure. Default 1 s. */
  readonly minRetryMs?: number;
  /** Default 5 min. */
  readonly maxRetryMs?: number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly clock: Pick<Clock, 'now' | 'after'>;
}

export class KeyedQueue {
  readonly #options: Required<KeyedQueueOptions>;
  readonly #waiting = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** When a key was first added, retries included. */
  readonly #since = new Map<string, number>();
  readonly #retries = new Map<string, () => void>();
  #closed = false;

  constructor(options: KeyedQueueOptions) {
    this.#options = {
      concurrency: 8,
      minRetryMs: 1_000,
      maxRetryMs: 300_000,
      ...options,
    };
  }

  get depth(): number {
    return this.#waiting.size + this.#running.size;
  }

  /** Age of the oldest key that is not done, retries included. */
  get oldestAgeMs(): number {
    // A Map keeps the order in which keys came.
    const [oldest] = this.#since.values();
    return oldest === undefined ? 0 : this.#options.clock.now() - oldest;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (!this.#since.has(key)) this.#since.set(key, this.#options.clock.now());
    if (this.#running.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    this.#pump();
  }

  /** Forgets the failures of a key that no longer exists. */
  forget(key: string): void {
    this.#failures.delete(key);
    this.#since.delete(key);
    this.#cancelRetry(key);
  }

  /** Starts no more work; resolves when running work has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const key of [...this.#retries.keys()]) this.#cancelRetry(key);
    this.#waiting.clear();
    await Promise.all(this.#running.values());
  }

  #pump(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return;
      this.#waiting.delete(key);
      this.#cancelRetry(key);
      this.#running.set(key, this.#run(key));
    }
  }

  async #run(key: string): Promise<void> {
    try {
      await this.#options.work(key);
      this.#failures.delete(key);
      this.#since.delete(key);
    } catch (error) {
      this.#retryLater(key, error);
    }
    this.#running.delete(key);
    if (this.#again.delete(key)) this.add(key);
    this.#pump();
  }

  #retryLater(key: string, error: unknown): void {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const { minRetryMs, maxRetryMs, random, clock, onError } = this.#options;
    const pause = Math.min(minRetryMs * 2 ** (failures - 1), maxRetryMs) * (0.75 + random() / 2);
    onError(key, error, pause);
    if (this.#closed) return;
    this.#retries.set(
      key,
      clock.after(pause, () => this.add(key)),
    );
  }

  #cancelRetry(key: string): void {
    this.#retries.get(key)?.();
    this.#retries.delete(key);
  }
}
