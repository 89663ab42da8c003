/**
 * Metadata of one topic. Version 11 (Kafka 2.8) returns the topic's id, which differs for another topic of the same
 * name; an older broker is asked with version 6 and returns none.
 */
import type { Metadata as OldMetadata } from 'kafkajs/src/protocol/requests/metadata/v6/response.js';
import { FlexibleReader, FlexibleWriter } from './flexible.ts';

export const metadataApi = 3;
export const metadataVersion = 11;

export interface Metadata {
  /** The client library waits this long before its next request on the connection. */
  readonly clientSideThrottleTime: number;
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly topics: readonly TopicMetadata[];
}

interface TopicMetadata {
  readonly errorCode: number;
  readonly name: string;
  /** Undefined: the cluster has no ids of topics. */
  readonly id: string | undefined;
  /** Leader: below 0 while there is none. */
  readonly partitions: readonly { readonly id: number; readonly leader: number }[];
}

const noId = 'A'.repeat(22);

export function encodeMetadataRequest(topic: string): Buffer {
  const writer = new FlexibleWriter().end(); // tagged fields of the request's header
  return writer
    .array([topic], (name) => writer.id(noId).text(name).end())
    .boolean(false) // never create it
    .boolean(false)
    .end()
    .finish();
}

export function decodeMetadataResponse(payload: Uint8Array): Metadata {
  const reader = new FlexibleReader(payload);
  reader.end();
  const clientSideThrottleTime = reader.int32();
  const brokers = reader.array(() => {
    const broker = { nodeId: reader.int32(), host: reader.text(), port: reader.int32() };
    reader.text(); // rack
    reader.end();
    return broker;
  });
  reader.text(); // id of the cluster
  reader.int32(); // controller
  const topics = reader.array(() => topicIn(reader));
  return { clientSideThrottleTime, brokers, topics };
}

function topicIn(reader: FlexibleReader): TopicMetadata {
  const errorCode = reader.int16();
  const name = reader.text();
  const id = reader.id();
  reader.int8(); // internal
  const partitions = reader.array(() => partitionIn(reader));
  reader.int32(); // operations that we may do
  reader.end();
  return { errorCode, name, id, partitions };
}

function partitionIn(reader: FlexibleReader): { readonly id: number; readonly leader: number } {
  reader.int16(); // error: without a leader it says so twice
  const partition = { id: reader.int32(), leader: reader.int32() };
  reader.int32(); // epoch of the leader
  for (let list = 0; list < 3; list++) reader.array(() => reader.int32()); // replicas, those in sync, those offline
  reader.end();
  return partition;
}

export function fromOld({ brokers, topicMetadata, clientSideThrottleTime }: OldMetadata): Metadata {
  const topics = topicMetadata.map(({ topicErrorCode, topic, partitionMetadata }) => ({
    errorCode: topicErrorCode,
    name: topic,
    id: undefined,
    partitions: partitionMetadata.map(({ partitionId, leader }) => ({ id: partitionId, leader })),
  }));
  return { clientSideThrottleTime, brokers, topics };
}
