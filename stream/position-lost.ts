interface PositionLostDetails {
  readonly loss?: string;
  readonly until?: number | undefined;
  readonly stored?: number | undefined;
  readonly isOfSink?: boolean;
}

/** The edge went back, and gave the number of a frame that was taken to another one. */
export function otherThanTaken(sequence: number): PositionLost {
  return new PositionLost(`frame ${sequence} is another one than the one that was taken`, { until: sequence });
}

/** A position that does not fit the existing data. The slot that meets it stops; a person decides what happens next. */
export class PositionLost extends Error {
  override readonly name = 'PositionLost';
  /** What was found: the part of a sentence after "but". */
  readonly found: string;
  /** The same, in words that stay equal while it is the same loss. */
  readonly loss: string;
  /**
   * The loss is over once everything up to this stream sequence is committed; undefined: the next start shows whether
   * it is.
   */
  readonly until: number | undefined;
  /** The sink has stored frames up to there, of which the commit log does not know; undefined: the log knows of all. */
  readonly stored: number | undefined;
  /** The sink has what the edge lacks (K7 of `./sink-position.ts`): the loss is over once the sink is found in order. */
  readonly isOfSink: boolean;

  constructor(found: string, { loss = found, until, stored, isOfSink = false }: PositionLostDetails = {}) {
    super(`position lost: ${found}`);
    this.found = found;
    this.loss = loss;
    this.until = until;
    this.stored = stored;
    this.isOfSink = isOfSink;
  }
}
