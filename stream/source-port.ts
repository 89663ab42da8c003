/** What the ingest loop needs of a source: the shape of `SourceReader` in connectors/connector.ts, which it may not import. */
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

/** Parts of the sentences that ask a person. */
export interface LostAtSource {
  /** What is lost, in the same words as long as it is the same loss: a decision answers what was asked. */
  readonly found: string;
  /** `offset 4 of partition 0 of topic "orders"` */
  readonly position: string;
  /** What is there instead. */
  readonly problem: string;
  /** What `accept-loss` would do. */
  readonly acceptLoss: string;
  /** What `reread` would do. */
  readonly reread: string;
}

/** Who asks a person, for a reader whose position is gone at the source. */
export interface SourceLossPort {
  /** Throws MR_SOURCE_POSITION_LOST until somebody has decided; a reader throws it on, and asks again when it is read. */
  choiceAbout(lost: LostAtSource): Promise<DecisionChoice>;
}
