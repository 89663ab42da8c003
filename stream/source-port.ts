/**
 * What the ingest loop needs from a source: the shape of `SourceReader` in connectors/connector.ts, which it may not
 * import.
 */
import type { DecisionChoice } from '../model/decision.ts';
import type { Position, RecordBatch } from './record-batch.ts';

export interface SourceReaderPort {
  read(signal: AbortSignal): Promise<RecordBatch | undefined>;
  acknowledge(position: Position): void;
  duplicate?(position: Position, note: string): void;
  keysFull?(position: Position, most: number): void;
  lag(): number | undefined;
  setBlocked?(blocked: boolean): void;
  refuse?(): boolean;
  close(): Promise<void>;
}

/** Parts of the sentences in which a person is asked. */
export interface LostAtSource {
  /** What is lost, in the same words while it is the same loss: a decision answers exactly this question. */
  readonly found: string;
  /** `offset 4 of partition 0 of topic "orders"` */
  readonly position: string;
  /** What exists instead. */
  readonly problem: string;
  /** What `accept-loss` would do. */
  readonly acceptLoss: string;
  /** What `reread` would do. */
  readonly reread: string;
}

/** Asks a person on behalf of a reader whose position no longer exists at the source. */
export interface SourceLossPort {
  /**
   * Throws MR_SOURCE_POSITION_LOST until somebody has decided; a reader rethrows it, and asks again at its next read.
   */
  choiceAbout(lost: LostAtSource): Promise<DecisionChoice>;
}
