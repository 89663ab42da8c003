/**
 * Fetch v13 (Kafka 3.1): the topic is named by its id, so the broker itself refuses to return records of another topic
 * that now has the same name.
 */
import { FlexibleReader, FlexibleWriter } from './flexible.ts';
import type { FetchedPartition, FetchResponse } from './fetch-response.ts';

export const fetchApi = 1;
export const fetchByIdVersion = 13;

export interface FetchById {
  readonly topicId: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: number }[];
  readonly partitionMaxBytes: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  readonly isolationLevel: number;
}

const consumer = -1;
const unknownEpoch = -1;
const noOffset = -1;
const noSession = 0;
const noEpochOfSession = -1;

export function encodeFetchById(request: FetchById): Buffer {
  const writer = new FlexibleWriter().end(); // tagged fields of the request's header
  writer.int32(consumer).int32(request.maxWaitMs).int32(1).int32(request.maxBytes).int8(request.isolationLevel);
  writer.int32(noSession).int32(noEpochOfSession);
  const { partitionMaxBytes } = request;
  const writePartition = ({ partition, offset }: FetchById['partitions'][number]) =>
    writer
      .int32(partition)
      .int32(unknownEpoch)
      .int64(offset)
      .int32(unknownEpoch)
      .int64(noOffset)
      .int32(partitionMaxBytes)
      .end();
  return writer
    .array([request.topicId], (id) => writer.id(id).array(request.partitions, writePartition).end())
    .array([], () => undefined) // topics that a session forgets
    .text('') // rack
    .end()
    .finish();
}

export function decodeFetchById(payload: Uint8Array): FetchResponse {
  const reader = new FlexibleReader(payload);
  reader.end();
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.int32(); // session
  const topics = reader.array(() => {
    reader.id();
    const partitions = reader.array(() => partitionIn(reader));
    reader.end();
    return partitions;
  });
  return { clientSideThrottleTime, errorCode, partitions: topics.flat() };
}

function partitionIn(reader: FlexibleReader): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = Number(reader.int64());
  reader.int64(); // last stable offset: the broker sends nothing after it at read-committed
  const logStartOffset = Number(reader.int64());
  const aborted = reader.array(() => {
    const transaction = { producerId: reader.int64(), firstOffset: Number(reader.int64()) };
    reader.end();
    return transaction;
  });
  reader.int32(); // preferred read replica: only for clients that name a rack
  const records = reader.slice(reader.length());
  reader.end();
  return { partition, errorCode, highWatermark, logStartOffset, aborted, records };
}
