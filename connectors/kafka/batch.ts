/** A decoded piece of a partition as the stream's record batch. Points into the tables, which the next batch reuses. */
import type { RecordBatch } from '../../stream/record-batch.ts';
import type { StoredPosition } from './position.ts';
import type { RecordTables } from './record-tables.ts';

/**
 * `position` is the slot's after the batch; in it, `partition` stands after the last record that was decoded or
 * skipped.
 */
export function kafkaBatch(
  tables: RecordTables,
  bytes: Uint8Array,
  partition: number,
  position: StoredPosition,
): RecordBatch {
  const { count, valueStart, valueEnd, keyStart, keyEnd, timestamps, offsets, headers } = tables;
  return {
    bytes,
    count,
    valueStart,
    valueEnd,
    keyStart,
    keyEnd,
    timestamps,
    offsets,
    ...(headers === undefined ? {} : { headers }),
    partition,
    position,
    positionAfter: (index) =>
      index >= count - 1 ? position : { ...position, [String(partition)]: tables.offsetAt(index) + 1 },
  };
}

const nothing = new Uint8Array(0);

/** No records, only the position: so that the place where reading started is stored. */
export function emptyBatch(tables: RecordTables, position: StoredPosition): RecordBatch {
  tables.clear();
  return { ...kafkaBatch(tables, nothing, -1, position), positionAfter: () => position };
}
