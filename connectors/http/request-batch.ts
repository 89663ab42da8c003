/** One accepted request: a record batch for the stage, and someone who waits for the answer. */
import { createHash } from 'node:crypto';
import type { Position, RecordBatch } from '../../stream/record-batch.ts';
import type { Ranges } from './split.ts';

export type Outcome =
  /** `ids`: of the first records; ids count up to `lastId`. */
  | { readonly outcome: 'stored'; readonly ids: readonly string[]; readonly lastId: string }
  | { readonly outcome: 'duplicate' }
  /** There is no room, and nothing of it was taken. */
  | { readonly outcome: 'full' }
  /** The slot went away: the records may be stored or not. */
  | { readonly outcome: 'unknown' };

export interface Accepted {
  readonly body: Uint8Array;
  readonly ranges: Ranges;
  readonly receivedAt: number;
  readonly messageId: string | undefined;
  readonly settle: (outcome: Outcome) => void;
}

/** The same for the same key at every pod of a source, and of no other; it says nothing about the key. */
export function messageIdOf(pid: string, source: string, key: string): string {
  return createHash('sha256').update(`${pid}\n${source}\n${key}`).digest('hex');
}

/** Positions count records: the record after `before` records has position `before + 1`. */
export function requestBatch(accepted: Accepted, before: number): RecordBatch {
  const { body, ranges, receivedAt, messageId } = accepted;
  const count = ranges.start.length;
  const positionAfter = (index: number): Position => before + index + 1;
  return {
    bytes: body,
    count,
    valueStart: ranges.start,
    valueEnd: ranges.end,
    keyStart: new Int32Array(count),
    keyEnd: new Int32Array(count).fill(-1),
    timestamps: new Float64Array(count).fill(receivedAt),
    partition: -1,
    ...(messageId === undefined ? {} : { messageId }),
    positionAfter,
    position: before + count,
  };
}
