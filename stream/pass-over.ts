/**
 * Moves a reader that has not started past frames that are not for it. Such a reader is registered (E10), but its pods do
 * not run yet, cannot run, or never will, because another operation replaced the one that registered it.
 *
 * U1  Frames of plans without the reader are not for it. A writer that finds the edge full, and the lifecycle that waits
 *     for the reader to leave, move its position past them, up to the first frame that is for it. Otherwise it could
 *     keep the edge full of frames for others, and a plan that removes it could never come into force.
 * U2  The position stays marked as that of a reader that has not started. If a pod of it has committed meanwhile, that
 *     commit counts; a pod that has read and not committed starts again.
 *     Nor are the last frames of leaving sources, which hold no records, and which every reader must be past before they
 *     are removed: a new sink that could not start once kept a source from being taken off.
 * U3  A bounded number of frames per run: each is read to know its plan.
 * U4  After a stream has gone back, new frames get numbers that such a reader is already past, though it has not seen
 *     them. They are passed first, writer by writer, under the same rule; all that a writer has, if the frame is gone on
 *     which the reader's place rests. Seed 6005162: they were not looked at, and a sink
 *     that was added and removed around a power loss was waited for, for good.
 */
import { commitsEdge, edgeStream, shardSubjects, writerIn } from '../model/names.ts';
import type { Edge, Plan } from '../model/plan.ts';
import { decodeCommitEntry, type CommitEntry } from './commit-entry.ts';
import { unlessDamaged } from './frame-at.ts';
import { checkIn, type Chain, type Heads } from './frame-chain.ts';
import { decodeFrame, planIn, type Frame } from './frame-reader.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';
import { commitsOfShard } from './last-commit.ts';
import { knownPlans, plansWithout } from './plan-store.ts';
import { sourceOf } from './reader-chain.ts';
import { readRegistry } from './registry.ts';
import { isThere, takenOf } from './taken.ts';
import { writersOfShard, type WriterPlace } from './writer-place.ts';

interface Waiting {
  readonly reader: string;
  readonly shard: number;
  readonly commit: StoredMessage;
  readonly entry: Extract<CommitEntry, { kind: 'commit' }> & { readonly chain: Chain };
  /** Those that write to this shard. */
  readonly writers: readonly WriterPlace[];
  readonly isLeaving: (source: string) => boolean;
}

interface Passed {
  readonly to: number;
  /** Of each writer the last frame that is passed. */
  readonly heads: Heads;
  readonly framesRead: number;
}

interface Look {
  readonly streams: JetStreamPort;
  readonly stream: string;
  readonly subjects: string;
  readonly waiting: Waiting;
  /** Whether the reader is not in the plan of this generation. */
  readonly isWithout: (generation: number) => boolean;
}

/** U3. */
const mostFrames = 64;

/** True: a position was moved, so more may be swept. */
export async function passOver(streams: JetStreamPort, pid: string, edge: Edge): Promise<boolean> {
  const waiting = await notBegun(streams, pid, edge);
  if (waiting.length === 0) return false;
  const plans = await knownPlans(streams, pid);
  let hasMoved = false;
  for (const one of waiting) {
    const stream = edgeStream(pid, edge.name);
    const subjects = shardSubjects(pid, edge.name, one.shard);
    const isWithout = plansWithout(plans, edge, one.reader);
    const passed = await passable({ streams, stream, subjects, waiting: one, isWithout });
    const hasPassed = passed.to > one.entry.to || Object.keys(passed.heads).length > 0;
    if (hasPassed && (await moveTo(streams, one, passed))) hasMoved = true;
  }
  return hasMoved;
}

/** In every edge: before a look that waits for readers, which may be such as have not started. */
export async function passOverAll(streams: JetStreamPort, { edges, pipeline }: Plan): Promise<void> {
  for (const edge of edges) await passOver(streams, pipeline.pid, edge);
}

async function notBegun(streams: JetStreamPort, pid: string, edge: Edge): Promise<Waiting[]> {
  const registry = await readRegistry(streams, pid, edge.name);
  if (registry === undefined) return [];
  const stream = edgeStream(pid, commitsEdge);
  const waiting: Waiting[] = [];
  for (let shard = 0; shard < edge.shards; shard++) {
    const writers = writersOfShard(pid, edge, registry, shard);
    const isLeaving = (source: string) => registry.sources[source]?.leaving === true;
    const commitOf = await commitsOfShard(streams, pid, shard);
    for (const reader of registry.readers) {
      const commit = commitOf(reader);
      if (commit === undefined) continue;
      const entry = decodeCommitEntry(commit.data, { stream, sequence: commit.seq });
      if (entry.kind !== 'commit' || entry.registered !== true || entry.chain?.edge !== registry.created) continue;
      waiting.push({ reader, shard, commit, entry: { ...entry, chain: entry.chain }, writers, isLeaving });
    }
  }
  return waiting;
}

/** What may be passed: U4, then what comes after the position. */
async function passable(look: Look): Promise<Passed> {
  const upTo = await passableUpTo(look);
  return upTo.isAll ? await passableAfter(look, upTo) : upTo;
}

/** U4. `isAll`: nothing that may not be passed is left up to the position. */
async function passableUpTo({
  streams,
  stream,
  waiting,
  isWithout,
}: Look): Promise<Passed & { readonly isAll: boolean }> {
  const { entry, writers } = waiting;
  const { to } = entry;
  const heads: Heads = {};
  let framesRead = 0;
  for (const { writer, subject } of writers) {
    const taken = takenOf(entry, entry.chain.edge, writer);
    const isGone = taken.check !== null && !(await isThere(streams, { stream, subject }, taken));
    for (let next = isGone ? 1 : taken.upTo + 1; next <= to;) {
      const message = await streams.directGet(stream, { seq: next, next_by_subj: subject });
      if (message === null || message.seq > to) break;
      const frame = readable(message, stream);
      const isPassed = frame !== undefined && (frame.count === 0 || isWithout(planIn(frame)));
      if (!isPassed || ++framesRead > mostFrames) return { to, heads, framesRead, isAll: false };
      heads[writer] = [message.seq, checkIn(frame)];
      next = message.seq + 1;
    }
  }
  return { to, heads, framesRead, isAll: true };
}

/**
 * The last frame with records, or the last of a leaving source, that may be passed: all frames up to it are of plans without
 * the reader. Other frames without records do not move the position unless they fill the whole look: they need little room,
 * and moving it makes a pod that has just started start again.
 */
async function passableAfter({ streams, stream, subjects, waiting, isWithout }: Look, upTo: Passed): Promise<Passed> {
  const heads: Heads = { ...upTo.heads };
  let passed = upTo;
  let next = upTo.to + 1;
  for (let { framesRead } = upTo; framesRead < mostFrames; framesRead++) {
    const message = await streams.directGet(stream, { seq: next, next_by_subj: subjects });
    const frame = message === null ? undefined : readable(message, stream);
    if (message === null || frame === undefined) return passed;
    if (frame.count > 0 && !isWithout(planIn(frame))) return passed;
    const writer = writerIn(message.subject);
    heads[writer] = [message.seq, checkIn(frame)];
    const ends = frame.count > 0 || (waiting.isLeaving(sourceOf(writer)) && (await isLast(streams, stream, message)));
    if (ends) passed = { to: message.seq, heads: { ...heads }, framesRead };
    next = message.seq + 1;
  }
  return { to: next - 1, heads, framesRead: mostFrames };
}

async function isLast(streams: JetStreamPort, stream: string, { subject, seq }: StoredMessage): Promise<boolean> {
  return (await streams.getMessage(stream, { last_by_subj: subject }))?.seq === seq;
}

/** Undefined: the frame is damaged; its reader will report that. */
function readable({ data, seq }: StoredMessage, stream: string): Frame | undefined {
  try {
    return decodeFrame(data, { stream, sequence: seq });
  } catch (error) {
    return unlessDamaged(error);
  }
}

/** U2. False: another writer was faster. */
async function moveTo(streams: JetStreamPort, { commit, entry }: Waiting, { to, heads }: Passed): Promise<boolean> {
  const { chain } = entry;
  const writers = { ...chain.writers, ...heads };
  const moved = { ...entry, to, chain: { ...chain, since: Math.max(chain.since, to), writers } };
  try {
    await streams.publish(commit.subject, JSON.stringify(moved), { expectLast: commit.seq });
    return true;
  } catch (error) {
    if (classifyPublishFailure(error).kind !== 'wrongSequence') throw error;
    return false;
  }
}
