/**
 * Whether the readers of an edge have taken everything that it holds. Only positions are compared, so it works with
 * no pod running. Meaningful once nothing writes any more.
 *
 * N1  A reader is behind a writer when it has not taken some frame of it that has records. Frames without records
 *     contain nothing that could be missed.
 * N2  Tails and commits are read from the leader: a replica that lags could report an edge as drained that is not.
 * N3  The writers that count are the registered sources and those of every stored plan. Writers of v0.1 are registered
 *     only after their pods have gone.
 */
import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { commitsEdge, edgeStream, shardSubjects } from '../model/names.ts';
import { ingestorsOf, sinksOf, type Edge, type Plan } from '../model/plan.ts';
import { decodeCommitEntry, positionOf, type CommitEntry } from './commit-entry.ts';
import { decodeFrame } from './frame-reader.ts';
import { isConsumerNotFound } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { lastCommit } from './last-commit.ts';
import { storedPlans } from './plan-store.ts';
import { readRegistry } from './registry.ts';
import { hasTaken, takenOf, type Taken } from './taken.ts';
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
  for (const edge of plan.edges) {
    const { readers, writers, created } = await membersOf(streams, plan, edge, concerns.source);
    for (const stage of readers.filter((name) => concerns.stage?.(name) ?? true)) {
      for (let slot = 0; slot < edge.shards; slot++) {
        const entry = await commitOf(streams, pid, stage, slot);
        const ofShard = writers.filter(({ shard }) => shard === slot);
        if (!(await isBehind(streams, entry, created, ofShard))) continue;
        const committed = entry?.chain === undefined || entry.chain.edge === created ? positionIn(entry) : 0;
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

function positionIn(entry: CommitEntry | undefined): number {
  return entry === undefined ? 0 : positionOf(entry);
}

/** N3. The registered readers; in an edge of v0.1, which registers none, those of the plan. */
async function membersOf(
  streams: JetStreamPort,
  plan: Plan,
  edge: Edge,
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
  for (const one of [plan, ...(await storedPlans(streams, pid))]) {
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

/** `entry`: the reader's last. `created`: when the edge's stream was created. */
async function isBehind(
  streams: JetStreamPort,
  entry: CommitEntry | undefined,
  created: string,
  writers: readonly WriterPlace[],
): Promise<boolean> {
  for (const place of writers) {
    if (await hasRecordsAfter(streams, place, takenOf(entry, created, place.writer))) return true;
  }
  return false;
}

/**
 * Walks back from the last frame to one that was taken, one with records, or a place where the reader's frame is
 * missing.
 */
async function hasRecordsAfter(
  streams: JetStreamPort,
  { stream, subject }: WriterPlace,
  taken: Taken,
): Promise<boolean> {
  let message = await streams.getMessage(stream, { last_by_subj: subject });
  while (message !== null) {
    const frame = decodeFrame(message.data, { stream, sequence: message.seq });
    if (hasTaken(taken, message.seq, frame.check)) return false;
    if (frame.count > 0 || frame.link === undefined || message.seq < taken.upTo) return true;
    if (frame.link.predecessor === 0) return false;
    message = await streams.getMessage(stream, { seq: frame.link.predecessor });
  }
  return false;
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
