/**
 * A reader that has not begun: it was registered (E10), and its pods do not run yet, cannot run, or never will, because
 * another operation took the place of the one that registered it.
 *
 * U1  Frames under plans without it are not for it. Whoever finds the edge full, or
 *     waits for the reader to leave, moves its position past them, up to the first frame that is for it. So it never keeps
 *     the edge full of what concerns others; a plan that removes it could otherwise never come into force.
 * U2  The position stays that of a reader which has not begun. What a pod of it has committed meanwhile counts; a pod that
 *     has read and not committed begins again.
 * U3  A bounded number of frames each time: they are read to know their plans.
 */
import { commitsEdge, commitSubject, edgeStream, shardSubjects } from '../model/names.ts';
import { sinksOf, type Edge, type Plan } from '../model/plan.ts';
import { decodeCommitEntry, type CommitEntry } from './commit-entry.ts';
import { decodeFrame, planIn } from './frame-reader.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';
import { storedPlans } from './plan-store.ts';
import { readRegistry } from './registry.ts';

interface Waiting {
  readonly reader: string;
  readonly shard: number;
  readonly commit: StoredMessage;
  readonly entry: Extract<CommitEntry, { kind: 'commit' }>;
}

/** U3. */
const mostFrames = 64;

export async function passOver(streams: JetStreamPort, pid: string, edge: Edge): Promise<void> {
  const waiting = await notBegun(streams, pid, edge);
  if (waiting.length === 0) return;
  const plans = await storedPlans(streams, pid);
  for (const one of waiting) {
    const to = await lastNotFor(streams, pid, edge, one, plans);
    if (to > one.entry.to) await moveTo(streams, one, to);
  }
}

async function notBegun(streams: JetStreamPort, pid: string, edge: Edge): Promise<Waiting[]> {
  const registry = await readRegistry(streams, pid, edge.name);
  const stream = edgeStream(pid, commitsEdge);
  const waiting: Waiting[] = [];
  for (const reader of registry?.readers ?? []) {
    for (let shard = 0; shard < edge.shards; shard++) {
      const commit = await streams.getMessage(stream, { last_by_subj: commitSubject(pid, reader, shard) });
      if (commit === null) continue;
      const entry = decodeCommitEntry(commit.data, { stream, sequence: commit.seq });
      if (entry.kind !== 'commit' || entry.registered !== true || entry.chain?.edge !== registry?.created) continue;
      waiting.push({ reader, shard, commit, entry });
    }
  }
  return waiting;
}

/**
 * The sequence of the last frame with records before the first that is for the reader, as far as they were looked at. For
 * frames without records alone the position stays: they need little room, and a pod that has just begun need not begin
 * again.
 */
async function lastNotFor(
  streams: JetStreamPort,
  pid: string,
  edge: Edge,
  { reader, shard, entry }: Waiting,
  plans: readonly Plan[],
): Promise<number> {
  const stream = edgeStream(pid, edge.name);
  const subjects = shardSubjects(pid, edge.name, shard);
  const without = new Set(
    plans
      .filter((plan) => !sinksOf(plan, edge).some(({ name }) => name === reader))
      .map(({ pipeline }) => pipeline.generation),
  );
  let { to } = entry;
  let next = to + 1;
  for (let count = 0; count < mostFrames; count++) {
    const message = await streams.directGet(stream, { seq: next, next_by_subj: subjects });
    if (message === null) return to;
    const frame = decodeFrame(message.data, { stream, sequence: message.seq });
    if (frame.count > 0 && !without.has(planIn(frame))) return to;
    if (frame.count > 0) to = message.seq;
    next = message.seq + 1;
  }
  return to;
}

/** U2. */
async function moveTo(streams: JetStreamPort, { commit, entry }: Waiting, to: number): Promise<void> {
  const { chain } = entry;
  const moved = chain === undefined ? chain : { ...chain, since: Math.max(chain.since, to) };
  try {
    await streams.publish(commit.subject, JSON.stringify({ ...entry, to, chain: moved }), { expectLast: commit.seq });
  } catch (error) {
    if (classifyPublishFailure(error).kind !== 'wrongSequence') throw error;
  }
}
