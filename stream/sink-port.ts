/** What the sink loop needs of a sink: the shapes of connectors/connector.ts, which it may not import. */
import type { MillraceError } from '../model/errors.ts';
import type { RecordMeta, RecordObject } from '../model/value.ts';

export interface BatchRange {
  readonly from: number;
  readonly to: number;
  readonly after: number;
  readonly token: string;
}

export interface RefusedRow {
  readonly row: number;
  readonly error: MillraceError;
}

export interface RowBufferPort {
  readonly rows: number;
  readonly bytes: number;
  add(value: RecordObject, meta: RecordMeta): void;
  clear(): void;
}

export interface SinkSlotPort<Rows extends RowBufferPort = RowBufferPort> {
  readonly positionIn: 'commitLog' | 'sink';
  storedPosition(signal: AbortSignal): Promise<number>;
  newRows(): Rows;
  write(rows: Rows, id: BatchRange, signal: AbortSignal): Promise<readonly RefusedRow[]>;
  close(): Promise<void>;
}

/**
 * Decoding, schema, steps and route of one stage. Returns the record that becomes a row, or undefined when this sink
 * does not get it. Throws MillraceError with handling `deadLetter` for a record that this stage has to report.
 */
export interface SinkProgram {
  run(bytes: Uint8Array, start: number, end: number, meta: RecordMeta, nowMs: number): RecordObject | undefined;
}
