/**
 * How many requests of one sender are taken: some at once, then so many a second. One number for each sender (GCRA): the
 * time at which the bucket would be full again.
 */
import { boundedMap, type Now } from './identity/remembered.ts';

export interface Rate {
  readonly perSecond: number;
  /** How many at once, after a pause. */
  readonly burst: number;
}

export class RateLimit {
  readonly rate: Rate;
  readonly #fullAt: ReturnType<typeof boundedMap<{ at: number }>>;
  readonly #now: Now;

  constructor(rate: Rate, now: Now) {
    this.rate = rate;
    this.#now = now;
    // Whoever is forgotten begins with a full bucket: there must be room for more senders than can be of use to somebody.
    this.#fullAt = boundedMap(50_000, now);
  }

  /** Whether one more would be taken. */
  hasRoom(sender: string): boolean {
    return this.#after(sender) <= (this.rate.burst * 1_000) / this.rate.perSecond;
  }

  /** False: it is one too many, and does not count. */
  take(sender: string): boolean {
    if (!this.hasRoom(sender)) return false;
    this.#fullAt.set(sender, { at: this.#now() + this.#after(sender) });
    return true;
  }

  /** ms until the bucket would be full again after one more. */
  #after(sender: string): number {
    const at = this.#fullAt.get(sender)?.at ?? 0;
    return Math.max(at - this.#now(), 0) + 1_000 / this.rate.perSecond;
  }
}

/** By whom strangers are told apart: their address; of IPv6 its /64, of which everybody has a whole one. */
export function senderOf(address: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length);
  return [...groups, ...Array<string>(Math.max(missing, 0)).fill('0'), ...(tail ?? '').split(':')]
    .slice(0, 4)
    .join(':');
}
