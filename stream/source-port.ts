/** What the ingest loop needs from a source, and what a source may ask of it. Connectors implement this. */
import type { DecisionChoice } from '../model/decision.ts';
import type { Position, RecordBatch } from './record-batch.ts';

export interface SourceReaderPort {
  /**
   * The next batch; waits for one. `undefined`: the source is bounded and its end is reached. The batch's buffer is
   * valid until the next call. Throws MillraceError with handling `retry` when the source fails for now: the stage
   * shows the condition, waits, and calls again.
   */
  read(signal: AbortSignal): Promise<RecordBatch | undefined>;
  /** Everything up to `position` is stored in JetStream: commit offsets, answer requests, confirm the WAL. */
  acknowledge(position: Position): void;
  /** A batch with `once` was already stored, with this note, under another position. Followed by acknowledge. */
  duplicate?(position: Position, note: string): void;
  /** A batch with `once` was not stored: the edge keeps `most` keys, and accepts no more. Followed by acknowledge. */
  keysFull?(position: Position, most: number): void;
  /** Records at the source that have not been read yet, when the source can tell. */
  lag(): number | undefined;
  /** Refuse new work until the edge has room (HTTP answers 429); called with false when records flow again. */
  setBlocked?(blocked: boolean): void;
  /**
   * There is no room. Gives up all that was read and is not acknowledged, and says true; or false, when some of it is
   * stored already, or the source can only wait.
   */
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
