import type { Accepted } from './frame-chain.ts';

interface PositionLostDetails {
  readonly loss?: string;
  readonly until?: number | undefined;
  readonly frame?: Accepted | undefined;
  readonly stored?: number | undefined;
  readonly isOfSink?: boolean;
  readonly had?: number | undefined;
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
  /** A frame that is there and does not follow what was taken: a decision accepts it (I6 of `./frame-chain.ts`). */
  readonly frame: Accepted | undefined;
  /** The sink has stored frames up to there, of which the commit log does not know; undefined: the log knows of all. */
  readonly stored: number | undefined;
  /** The sink has what the edge lacks (K7 of `./sink-position.ts`): the loss is over once the sink is found in order. */
  readonly isOfSink: boolean;
  /** What a sink with a position of its own has stored (K10 of `./sink-position.ts`); undefined: it was not asked. */
  readonly had: number | undefined;

  constructor(found: string, { loss = found, until, frame, stored, isOfSink = false, had }: PositionLostDetails = {}) {
    super(`position lost: ${found}`);
    this.found = found;
    this.loss = loss;
    this.until = until;
    this.frame = frame;
    this.stored = stored;
    this.isOfSink = isOfSink;
    this.had = had;
  }

  /** The same, met by a slot whose sink has stored this. */
  ofSinkWith(had: number): PositionLost {
    const { found, loss, until, frame, stored, isOfSink } = this;
    return new PositionLost(found, { loss, until, frame, stored, isOfSink, had: this.had ?? had });
  }
}
