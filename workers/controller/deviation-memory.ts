/**
 * When a deviation of one pipeline is reported to its entity.
 *
 * P1  It must have lasted: two watches are not in step, and a change may be unfinished.
 * P2  It is reported once; again only when an operation has run since and has not ended it.
 * P3  When it keeps coming back, another program writes the same fields: each time the wait doubles, up to five
 *     minutes, so that the two do not keep the cluster busy.
 */
import type { Deviation } from './deviation.ts';

const patienceMs = 2_000;
const maxPatienceMs = 300_000;
/** Reports older than this no longer count. */
const memoryMs = 600_000;

export class DeviationMemory {
  /** The present deviation, as text, and since when. */
  #seen: { readonly text: string; readonly since: number } | undefined;
  #told: string | undefined;
  #toldAt: readonly number[] = [];

  /** When to report it: at once if not after `now`; undefined: nothing to report. `opSeq`: of the last operation. */
  tellAt(deviation: Deviation | undefined, opSeq: number, now: number): number | undefined {
    if (deviation === undefined) {
      // It ended, by itself or by an operation: the same deviation later is a new one.
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
