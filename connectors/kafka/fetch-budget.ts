/**
 * The fetched records that all slots of a pod hold together.
 *
 * B1  No slot waits for room: an answer is requested in the size that is available, down to {@link smallestBytes}, in
 *     which a broker still returns one whole record batch. So a slot that cannot continue takes only its own share.
 * B2  Held at once: the budget, and for each leader of each slot two smallest answers, or two batches larger than that.
 */
const smallestBytes = 64 * 1024;
/** One answer that is being read and one after it: `./leader.ts`, L1. */
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

  /** How many bytes the next answer may have; they count as held until they are returned. */
  take(mostBytes: number): number {
    const share = Math.floor(this.#totalBytes / (answersOfFetcher * Math.max(1, this.#fetchers)));
    const bytes = Math.max(smallestBytes, Math.min(mostBytes, share, this.#totalBytes - this.#held));
    this.#held += bytes;
    return bytes;
  }

  /** May be negative: the answer has a batch that is larger than was requested. */
  give(bytes: number): void {
    this.#held -= bytes;
  }
}
