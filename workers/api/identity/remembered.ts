/**
 * Answers of others that hold for a moment, so that a hundred requests of one caller do not become a hundred reviews.
 *
 * K1  Bounded in number: what was not used for longest goes first.
 * K2  The same question is asked once at a time, however many wait for its answer.
 * K3  A failure is not an answer: the next one asks again.
 * K4  Its time is counted from when it was asked for: it may have been true only then.
 */
import { LRUCache } from 'lru-cache';

/** A monotonic clock, in ms. */
export type Now = () => number;

export interface RememberedOptions<Answer> {
  /** ms. */
  readonly ttlOf: (answer: Answer) => number;
  readonly now: Now;
  /** Default 10,000. */
  readonly most?: number;
}

export class Remembered<Answer extends object> {
  readonly #known: LRUCache<string, Answer>;
  readonly #asked = new Map<string, Promise<Answer>>();
  readonly #ttlOf: (answer: Answer) => number;
  readonly #now: Now;

  constructor({ ttlOf, now, most = 10_000 }: RememberedOptions<Answer>) {
    this.#ttlOf = ttlOf;
    this.#now = now;
    this.#known = boundedMap(most, now);
  }

  /** Whether nobody need be asked: it is known, or on its way. */
  has(key: string): boolean {
    return this.#known.has(key) || this.#asked.has(key);
  }

  forget(key: string): void {
    this.#known.delete(key);
  }

  async get(key: string, ask: () => Promise<Answer>): Promise<Answer> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    const asking = this.#ask(key, ask).finally(() => this.#asked.delete(key));
    this.#asked.set(key, asking);
    return asking;
  }

  async #ask(key: string, ask: () => Promise<Answer>): Promise<Answer> {
    const askedAt = this.#now();
    const answer = await ask();
    const ttl = this.#ttlOf(answer) - (this.#now() - askedAt);
    if (ttl > 0) this.#known.set(key, answer, { ttl });
    return answer;
  }
}

/** Entries may have a time to live (`ttl`); without one they stay until there is no room. */
export function boundedMap<Value extends object>(most: number, now: Now): LRUCache<string, Value> {
  // An entry of the time 0 would live for ever.
  return new LRUCache({ max: most, ttl: 0, ttlResolution: 0, perf: { now: () => now() + 1 } });
}
