/** One accepted request: a record batch for the stage, and a sender that waits for the answer. */
import type { Position, RecordBatch } from '../../stream/record-batch.ts';
import { onceOf, type RequestKey } from './idempotency.ts';
import type { Ranges } from './split.ts';

/** `ids`: those of the first records; ids count up to `lastId`. */
interface Ids {
  readonly ids: readonly string[];
  readonly lastId: string;
}

export type Outcome =
  | ({ readonly outcome: 'stored' } & Ids)
  /** A request with this key was stored before; the ids are those of its records. */
  | ({ readonly outcome: 'duplicate' } & Ids)
  /** A request with this key and another body was stored before; nothing of this one is stored. */
  | { readonly outcome: 'keyReused' }
  /** The edge keeps `most` keys and accepts no more; nothing of the request is stored. */
  | { readonly outcome: 'keysFull'; readonly most: number }
  /** There is no room, and nothing of the request was stored. */
  | { readonly outcome: 'full' }
  /** The slot was given up: the records may or may not be stored. */
  | { readonly outcome: 'unknown' };

export interface Accepted {
  readonly body: Uint8Array;
  readonly ranges: Ranges;
  readonly receivedAt: number;
  readonly key: RequestKey | undefined;
  readonly settle: (outcome: Outcome) => void;
}

/** Positions count records: the record after `before` records has position `before + 1`. `ids`: the prefix of ids. */
export function requestBatch(accepted: Accepted, before: number, ids: string, isRefused: () => boolean): RecordBatch {
  const { body, ranges, receivedAt, key } = accepted;
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
    ...(key === undefined ? {} : { once: onceOf(key, { ids, after: before, last: before + count }) }),
    isRefused,
    positionAfter,
    position: before + count,
  };
}
