/** The newest entries of commit logs as they are stored. */
import { commitsEdge, commitSubject, edgeStream } from '../model/names.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';

/** Read from the leader. Null: the slot has none. */
export function lastCommit(
  streams: JetStreamPort,
  pid: string,
  stage: string,
  slot: number,
): Promise<StoredMessage | null> {
  return streams.getMessage(edgeStream(pid, commitsEdge), { last_by_subj: commitSubject(pid, stage, slot) });
}

/** By slot, read from the leader. */
export async function lastCommits(
  streams: JetStreamPort,
  pid: string,
  stage: string,
  slots: number,
): Promise<(StoredMessage | null)[]> {
  const lasts: (StoredMessage | null)[] = [];
  for (let slot = 0; slot < slots; slot++) lasts.push(await lastCommit(streams, pid, stage, slot));
  return lasts;
}

/** Those of all readers of a shard, by the reader's name. They may be read from a replica that lags. */
export async function commitsOfShard(
  streams: JetStreamPort,
  pid: string,
  shard: number,
): Promise<(reader: string) => StoredMessage | undefined> {
  const lasts = await streams.lastOfEach(edgeStream(pid, commitsEdge), commitSubject(pid, '*', shard));
  const bySubject = new Map(lasts.map((last) => [last.subject, last]));
  return (reader) => bySubject.get(commitSubject(pid, reader, shard));
}
