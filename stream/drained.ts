/**
 * Whether the readers of an edge have taken everything that it holds. Only positions are compared, so it works with
 * no pod running. Meaningful once nothing writes any more.
 *
 * N1  A reader is behind a writer when it has not taken some frame of it that has records. Frames without records
 *     contain nothing that could be missed.
 * N2  Tails and commits are read from the leader: a replica that lags could report an edge as drained that is not.
 * N3  The writers that count are the registered sources and those of every stored plan. Writers of v0.1 are registered
 *     only after their pods have gone.
 * N4  A reader is not behind with frames of plans without it (E9). A sink whose pod has never started, and one whose
 *     server was gone when it was taken off, once kept a deletion waiting for records that they would not have written.
 */
import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { commitsEdge, edgeStream, shardSubjects } from '../model/names.ts';
import { ingestorsOf, sinksOf, type Edge, type Plan } from '../model/plan.ts';
import { decodeCommitEntry, type CommitEntry } from './commit-entry.ts';
import { firstUnread } from './first-unread.ts';
import { decodeFrame, planIn, type Frame } from './frame-reader.ts';
import { isConsumerNotFound } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { lastCommit } from './last-commit.ts';
import { mayBeFor, storedPlans } from './plan-store.ts';
import { readRegistry } from './registry.ts';
import { hasTaken, isRolledBack, positionIn, takenOf, type Taken } from './taken.ts';
import { writersOfSource, type WriterPlace } from './writer-place.ts';

export interface Backlog {
  readonly stage: string;
  readonly slot: number;
  /** How many frames the slot has not committed. */
  readonly frames: number;
}

export interface Drained {
  readonly drained: boolean;
  readonly behind: Backlog[];
}

/** Checks the stages and sources for which `concerns` is true, or all when it is absent. */
export async function isDrained(
  streams: JetStreamPort,
  plan: Plan,
  concerns: { readonly stage?: (name: string) => boolean; readonly source?: (name: string) => boolean } = {},
): Promise<Drained> {
  const { pid } = plan.pipeline;
  const behind: Backlog[] = [];
  const plans = await storedPlans(streams, pid);
  for (const edge of plan.edges) {
    const { readers, writers, created } = await membersOf(streams, plan, edge, plans, concerns.source);
    for (const stage of readers.filter((name) => concerns.stage?.(name) ?? true)) {
      for (let slot = 0; slot < edge.shards; slot++) {
        const entry = await commitOf(streams, pid, stage, slot);
        const ofShard = writers.filter(({ shard }) => shard === slot);
        if (!(await isBehind(streams, { stage, entry, created, plans }, ofShard))) continue;
        const committed = positionIn(entry, created);
        behind.push({ stage, slot, frames: await framesAfter(streams, pid, edge.name, slot, committed) });
      }
    }
  }
  return { drained: behind.length === 0, behind };
}

/** The last commit or intent of a slot, read from the leader. */
export async function commitOf(
  streams: JetStreamPort,
  pid: string,
  stage: string,
  slot: number,
): Promise<CommitEntry | undefined> {
  const last = await lastCommit(streams, pid, stage, slot);
  if (last === null) return undefined;
  return decodeCommitEntry(last.data, { stream: edgeStream(pid, commitsEdge), sequence: last.seq });
}

/** N3. The registered readers; in an edge of v0.1, which registers none, those of the plan. */
async function membersOf(
  streams: JetStreamPort,
  plan: Plan,
  edge: Edge,
  plans: readonly Plan[],
  concerns: (source: string) => boolean = () => true,
): Promise<{
  readonly readers: readonly string[];
  readonly writers: readonly WriterPlace[];
  readonly created: string;
}> {
  const { pid } = plan.pipeline;
  const registry = await readRegistry(streams, pid, edge.name);
  const { created } = await streams.streamInfo(edgeStream(pid, edge.name));
  const slots = new Map<string, number>();
  const add = (source: string, count: number) => slots.set(source, Math.max(count, slots.get(source) ?? 0));
  for (const [source, registered] of Object.entries(registry?.sources ?? {})) add(source, registered.slots);
  for (const one of [plan, ...plans]) {
    for (const stage of ingestorsOf(one, edge)) add(stage.source, stage.slots);
  }
  return {
    readers: registry?.readers ?? sinksOf(plan, edge).map(({ name }) => name),
    writers: [...slots]
      .filter(([source]) => concerns(source))
      .flatMap(([source, count]) => writersOfSource(plan, edge, source, count)),
    created,
  };
}

interface Reader {
  readonly stage: string;
  /** Its last commit or intent in this shard. */
  readonly entry: CommitEntry | undefined;
  /** When the edge's stream was created. */
  readonly created: string;
  /** Every stored plan. */
  readonly plans: readonly Plan[];
}

async function isBehind(streams: JetStreamPort, reader: Reader, writers: readonly WriterPlace[]): Promise<boolean> {
  for (const place of writers) {
    const taken = takenOf(reader.entry, reader.created, place.writer);
    const last = await lastUntaken(streams, place, taken);
    if (last.kind !== 'none' && (await hasFramesFor(streams, reader, place, taken, last))) return true;
  }
  return false;
}

type Untaken =
  | { readonly kind: 'none' }
  /** Something is missing on the way back, or a frame of v0.1 names no predecessor: nobody knows for whom it was. */
  | { readonly kind: 'unclear' }
  /** N1. The last frame with records. */
  | { readonly kind: 'frame'; readonly sequence: number; readonly frame: Frame };

/** Walks back from the writer's last frame to one with records, or to what the reader has taken. */
async function lastUntaken(streams: JetStreamPort, { stream, subject }: WriterPlace, taken: Taken): Promise<Untaken> {
  let message = await streams.getMessage(stream, { last_by_subj: subject });
  if (message === null) return { kind: 'none' };
  while (message !== null) {
    const { seq: sequence } = message;
    const frame = decodeFrame(message.data, { stream, sequence });
    if (hasTaken(taken, sequence, frame.check)) return { kind: 'none' };
    if (frame.link === undefined || sequence < taken.upTo) return { kind: 'unclear' };
    if (frame.count > 0) return { kind: 'frame', sequence, frame };
    const { predecessor } = frame.link;
    if (predecessor === 0 || (taken.check === null && predecessor <= taken.upTo)) return { kind: 'none' };
    message = await streams.getMessage(stream, { seq: predecessor });
  }
  return { kind: 'unclear' };
}

/** N4. */
async function hasFramesFor(
  streams: JetStreamPort,
  { stage, plans }: Reader,
  place: WriterPlace,
  taken: Taken,
  last: Exclude<Untaken, { kind: 'none' }>,
): Promise<boolean> {
  if (last.kind === 'unclear' || (await isRolledBack(streams, place, taken))) return true;
  const first = await firstUnread(streams, { ...place, upTo: last.sequence }, taken);
  // None: what was seen a moment ago is gone. The next look tells.
  return first.kind !== 'frame' || mayBeFor(stage, { first: planIn(first.frame), last: planIn(last.frame) }, plans);
}

/** How many frames of a shard come after `sequence`. A short-lived consumer is the only way to get an exact count. */
export async function framesAfter(
  streams: JetStreamPort,
  pid: string,
  edge: string,
  shard: number,
  sequence: number,
): Promise<number> {
  const stream = edgeStream(pid, edge);
  const consumer = await streams.addConsumer(stream, {
    filter_subject: shardSubjects(pid, edge, shard),
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: sequence + 1,
    ack_policy: AckPolicy.None,
    inactive_threshold: nanos(5_000),
    mem_storage: true,
    num_replicas: 1,
  });
  await streams.deleteConsumer(stream, consumer.name).catch((error: unknown) => {
    if (!isConsumerNotFound(error)) throw error;
  });
  return consumer.pending;
}
