/** Record batches as a source would make them, from plain records. */
import type { Header, Once, Position, RecordBatch } from '../../../stream/record-batch.ts';
import type { SourceReaderPort } from '../../../stream/source-port.ts';

export interface PlainRecord {
  readonly value: string | null;
  readonly key?: string | null;
  readonly timestamp?: number;
  readonly headers?: readonly Header[];
  readonly offset?: bigint;
}

export interface BatchOptions {
  readonly partition?: number;
  readonly once?: Once;
  readonly positionAfter?: (index: number) => Position;
  readonly position?: Position;
}

export function batchOf(records: readonly PlainRecord[], options: BatchOptions = {}): RecordBatch {
  const parts: Buffer[] = [];
  const table = () => new Int32Array(records.length);
  const [valueStart, valueEnd, keyStart, keyEnd] = [table(), table(), table(), table()];
  let end = 0;
  const put = (text: string | null | undefined, index: number, starts: Int32Array, ends: Int32Array) => {
    starts[index] = end;
    ends[index] = -1;
    if (text === null || text === undefined) return;
    const bytes = Buffer.from(text);
    parts.push(bytes);
    end += bytes.length;
    ends[index] = end;
  };
  records.forEach((record, index) => {
    put(record.key, index, keyStart, keyEnd);
    put(record.value, index, valueStart, valueEnd);
  });
  const positionAfter = options.positionAfter ?? ((index: number) => index + 1);
  return {
    bytes: Buffer.concat(parts),
    count: records.length,
    valueStart,
    valueEnd,
    keyStart,
    keyEnd,
    timestamps: Float64Array.from(records, (record) => record.timestamp ?? 1_700_000_000_000),
    ...(records.some((record) => record.headers) ? { headers: records.map((record) => record.headers) } : {}),
    ...(records.some((record) => record.offset !== undefined)
      ? { offsets: BigInt64Array.from(records, (record) => record.offset ?? -1n) }
      : {}),
    partition: options.partition ?? -1,
    ...(options.once === undefined ? {} : { once: options.once }),
    positionAfter,
    position: options.position ?? positionAfter(records.length - 1),
  };
}

/** Hands over what there is, each batch `when` it may come, and then nothing more. */
export function listReader(
  left: RecordBatch[],
  when: () => Promise<unknown> = () => Promise.resolve(),
): SourceReaderPort {
  return {
    read: (signal) =>
      left.length > 0
        ? when().then(() => left.shift())
        : new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
    acknowledge: () => undefined,
    lag: () => undefined,
    close: () => Promise.resolve(),
  };
}
