/** The newest entry of a slot's commit log as it is stored, read from the leader. */
import { commitsEdge, commitSubject, edgeStream } from '../model/names.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';

/** Null: the slot has none. */
export function lastCommit(
  streams: JetStreamPort,
  pid: string,
  stage: string,
  slot: number,
): Promise<StoredMessage | null> {
  return streams.getMessage(edgeStream(pid, commitsEdge), { last_by_subj: commitSubject(pid, stage, slot) });
}

/** By slot. */
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
