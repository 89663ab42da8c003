/** A position that does not belong to what is there. Whoever meets it stops; what happens next a person decides. */
export class PositionLost extends Error {
  override readonly name = 'PositionLost';
  /** What was found, to stand after "but". */
  readonly found: string;

  constructor(found: string) {
    super(`position lost: ${found}`);
    this.found = found;
  }
}
