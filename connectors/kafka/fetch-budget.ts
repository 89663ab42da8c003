/**
 * What all slots of a pod hold of fetched records, together.
 *
 * B1  Nobody waits for room: an answer is asked for in the size that there is, down to {@link smallestBytes}, in which a
 *     broker still gives one record batch whole. So a slot that cannot go on takes nothing from the others but its share.
 * B2  Held at once: the budget, and for each leader of each slot two smallest answers, or two batches larger than that.
 */
const smallestBytes = 64 * 1024;
/** One that is read and one after it: `./leader.ts`, L1. */
const answersOfFetcher = 2;

export class FetchBudget {
  readonly #totalBytes: number;
  #fetchers = 0;
  #held = 0;

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  get heldBytes(): number {
    return this.#held;
  }

  join(): void {
    this.#fetchers++;
  }

  leave(): void {
    this.#fetchers--;
  }

  /** How many bytes the next answer may have; they count as held until they are given back. */
  take(mostBytes: number): number {
    const share = Math.floor(this.#totalBytes / (answersOfFetcher * Math.max(1, this.#fetchers)));
    const bytes = Math.max(smallestBytes, Math.min(mostBytes, share, this.#totalBytes - this.#held));
    this.#held += bytes;
    return bytes;
  }

  /** Below 0: the answer has a batch that is larger than was asked for. */
  give(bytes: number): void {
    this.#held -= bytes;
  }
}
