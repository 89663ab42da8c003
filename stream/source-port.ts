/** What the ingest loop needs of a source: the shape of `SourceReader` in connectors/connector.ts, which it may not import. */
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
