/** Record batches as a producer makes them, encoded by kafkajs, and what our decoder makes of them. */
import encodeRecord from 'kafkajs/src/protocol/recordBatch/record/v0/index.js';
import { RecordBatch } from 'kafkajs/src/protocol/recordBatch/v0/index.js';
import type { AbortedTransaction } from '../../../connectors/kafka/aborted.ts';
import { RecordSet } from '../../../connectors/kafka/record-set.ts';
import { RecordTables } from '../../../connectors/kafka/record-tables.ts';

export interface PlainRecord {
  readonly delta?: number;
  readonly time?: number;
  readonly key?: string | null | undefined;
  readonly value: string | null;
  readonly headers?: Record<string, string | Buffer | string[]>;
}

export interface BatchOptions {
  readonly offset: number;
  readonly records: readonly PlainRecord[];
  readonly gzip?: boolean;
  readonly firstTimestamp?: number;
  /** Ends here although its last records are gone (compaction). */
  readonly lastDelta?: number;
  readonly producerId?: number;
  readonly transactional?: boolean;
}

export async function encodeBatch(options: BatchOptions): Promise<Buffer> {
  const records = options.records.map(({ delta, time, key, value, headers }, index) =>
    encodeRecord({
      offsetDelta: delta ?? index,
      timestampDelta: time ?? 0,
      key: key == null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers: Object.fromEntries(
        Object.entries(headers ?? {}).map(([name, text]) => [
          name,
          Array.isArray(text) ? text.map((each) => Buffer.from(each)) : Buffer.from(text),
        ]),
      ),
    }),
  );
  const batch = await RecordBatch({
    compression: options.gzip === true ? 1 : 0,
    firstOffset: options.offset,
    firstTimestamp: options.firstTimestamp ?? 1_000,
    maxTimestamp: 9_000,
    lastOffsetDelta: options.lastDelta ?? options.records.at(-1)?.delta ?? options.records.length - 1,
    transactional: options.transactional ?? false,
    producerId: options.producerId ?? -1,
    records,
  });
  return Buffer.from(batch.buffer);
}

const attributesAt = 21;

/** The marker that ends a transaction. */
export async function controlBatch(offset: number, producerId: number, type: 'abort' | 'commit'): Promise<Buffer> {
  const key = String.fromCharCode(0, 0, 0, type === 'abort' ? 0 : 1);
  const batch = await encodeBatch({ offset, producerId, records: [{ key, value: '' }] });
  batch.writeInt16BE(0x30, attributesAt);
  return batch;
}

export function withAttributes(batch: Buffer, bits: number): Buffer {
  batch.writeInt16BE(batch.readInt16BE(attributesAt) | bits, attributesAt);
  return batch;
}

export interface DecodedRecord {
  readonly offset: number;
  readonly time: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string])[];
}

export function decodeAll(
  bytes: Uint8Array,
  asked = 0,
  aborted: readonly AbortedTransaction[] = [],
): { records: DecodedRecord[]; position: number } {
  const set = new RecordSet(bytes, asked, aborted, 64 * 2 ** 20);
  const tables = new RecordTables();
  const records: DecodedRecord[] = [];
  for (let piece = set.next(tables); piece !== undefined; piece = set.next(tables)) {
    for (let i = 0; i < tables.count; i++) records.push(recordAt(tables, piece.bytes, i));
  }
  return { records, position: set.position };
}

export function recordAt(tables: RecordTables, bytes: Uint8Array, i: number): DecodedRecord {
  return {
    offset: tables.offsetAt(i),
    time: tables.timestamps[i] ?? NaN,
    key: text(bytes, tables.keyStart[i] ?? 0, tables.keyEnd[i] ?? 0),
    value: text(bytes, tables.valueStart[i] ?? 0, tables.valueEnd[i] ?? 0),
    headers: tables.headers?.[i] ?? [],
  };
}

function text(bytes: Uint8Array, start: number, end: number): string | null {
  if (end === -1) return null;
  if (start < 0 || end < start || end > bytes.length) throw new Error(`not in the buffer: ${start}..${end}`);
  return Buffer.from(bytes.subarray(start, end)).toString();
}
