/**
 * When a deviation is worth telling the entity.
 *
 * P1  It must have lasted: two watches do not arrive at the same time, and what is being changed is not finished.
 * P2  It is told once; again only when an operation has run since and has not ended it.
 * P3  When it comes back again and again, somebody else writes, too: each time it is borne twice as long, up to five
 *     minutes, so that two who disagree do not keep the cluster busy.
 */
import type { Deviation } from './deviation.ts';

const patienceMs = 2_000;
const maxPatienceMs = 300_000;
/** Tellings longer ago are forgotten. */
const memoryMs = 600_000;

interface Memory {
  /** The deviation that lasts now, as text, and since when. */
  seen?: { readonly text: string; readonly since: number };
  told?: string;
  readonly toldAt: number[];
}

export class Deviations {
  readonly #memory = new Map<string, Memory>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether to tell it now. `opSeq`: of the last operation. */
  isDue(uid: string, deviation: Deviation | undefined, opSeq: number): boolean {
    const memory = this.#memory.get(uid) ?? { toldAt: [] };
    if (deviation === undefined) {
      // It ended by itself or by an operation: should it come again, it is news.
      delete memory.seen;
      delete memory.told;
      return false;
    }
    this.#memory.set(uid, memory);
    const now = this.#now();
    const text = `${opSeq} ${deviation.is} ${deviation.what}`;
    if (memory.told === text) return false;
    if (memory.seen?.text !== text) memory.seen = { text, since: now };
    const recent = memory.toldAt.filter((at) => now - at < memoryMs);
    if (now - memory.seen.since < Math.min(patienceMs * 2 ** recent.length, maxPatienceMs)) return false;
    memory.told = text;
    memory.toldAt.splice(0, memory.toldAt.length, ...recent, now);
    return true;
  }

  forget(uid: string): void {
    this.#memory.delete(uid);
  }
}
