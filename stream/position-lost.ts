/** A position that does not belong to what is there. Whoever meets it stops; what happens next a person decides. */
export class PositionLost extends Error {
  override readonly name = 'PositionLost';
  /** What was found, to stand after "but". */
  readonly found: string;
  /** The same, in words that stay while it is the same loss. */
  readonly loss: string;
  /** The stream sequence up to which must be committed for it to be over; undefined: whoever begins again sees whether it is. */
  readonly until: number | undefined;

  constructor(found: string, { loss = found, until }: { readonly loss?: string; readonly until?: number } = {}) {
    super(`position lost: ${found}`);
    this.found = found;
    this.loss = loss;
    this.until = until;
  }
}
