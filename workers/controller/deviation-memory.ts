/**
 * When a deviation of one pipeline is worth telling its entity.
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

export class DeviationMemory {
  /** The deviation that lasts now, as text, and since when. */
  #seen: { readonly text: string; readonly since: number } | undefined;
  #told: string | undefined;
  #toldAt: readonly number[] = [];

  /** When to tell it; not after `now`: at once. undefined: there is nothing to tell. `opSeq`: of the last operation. */
  tellAt(deviation: Deviation | undefined, opSeq: number, now: number): number | undefined {
    if (deviation === undefined) {
      // It ended by itself or by an operation: should it come again, it is news.
      this.#seen = undefined;
      this.#told = undefined;
      return undefined;
    }
    const text = textOf(deviation, opSeq);
    if (this.#told === text) return undefined;
    if (this.#seen?.text !== text) this.#seen = { text, since: now };
    this.#toldAt = this.#toldAt.filter((at) => now - at < memoryMs);
    return this.#seen.since + Math.min(patienceMs * 2 ** this.#toldAt.length, maxPatienceMs);
  }

  told(deviation: Deviation, opSeq: number, now: number): void {
    this.#told = textOf(deviation, opSeq);
    this.#toldAt = [...this.#toldAt, now];
  }
}

function textOf(deviation: Deviation, opSeq: number): string {
  return `${opSeq} ${deviation.is} ${deviation.what}`;
}
