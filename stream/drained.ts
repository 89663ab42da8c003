/**
 * Whether the readers of an edge have taken everything that it holds. Only positions are compared, so it works with
 * no pod running. Meaningful once nothing writes any more.
 *
 * N1  A reader is behind a writer when it has not taken some frame of it that is for it (`./untaken.ts`).
 * N2  Tails and commits are read from the leader: a replica that lags could report an edge as drained that is not.
 * N3  The writers that count are the registered sources and those of every stored plan. Writers of v0.1 are registered
 *     only after their pods have gone.
 * N4  A reader is not behind with frames of plans without it (E9). A sink whose pod has never started, and one whose
 *     server was gone when it was taken off, once kept a deletion waiting for records that they would not have written.
 * N5  A reader that has begun a batch with something to store is behind until it has committed it, whatever the edge holds
 *     by now.
 */
import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { commitsEdge, edgeStream, shardSubjects } from '../model/names.ts';
import { ingestorsOf, sinksOf, type Edge, type Plan } from '../model/plan.ts';
import { decodeCommitEntry, isUnfinished, type CommitEntry } from './commit-entry.ts';
import { isConsumerNotFound } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { lastCommit } from './last-commit.ts';
import { knownPlans, plansWithout } from './plan-store.ts';
import { readRegistry } from './registry.ts';
import { positionIn, takenOf } from './taken.ts';
import { hasUntaken } from './untaken.ts';
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

/** Stages and sources; all when absent. */
interface Concerns {
  readonly stage?: (name: string) => boolean;
  readonly source?: (name: string) => boolean;
}

export async function isDrained(streams: JetStreamPort, plan: Plan, concerns: Concerns = {}): Promise<Drained> {
  const { pid } = plan.pipeline;
  const behind: Backlog[] = [];
  const known = await knownPlans(streams, pid);
  for (const edge of plan.edges) {
    const { readers, writers, created } = await membersOf(streams, plan, edge, known.plans, concerns.source);
    for (const stage of readers.filter((name) => concerns.stage?.(name) ?? true)) {
      const isWithout = plansWithout(known, edge, stage);
      for (let slot = 0; slot < edge.shards; slot++) {
        const entry = await commitOf(streams, pid, stage, slot);
        const ofShard = writers.filter(({ shard }) => shard === slot);
        if (!(await isBehind(streams, { entry, created, isWithout }, ofShard))) continue;
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
  /** Its last commit or intent in this shard. */
  readonly entry: CommitEntry | undefined;
  /** When the edge's stream was created. */
  readonly created: string;
  readonly isWithout: (generation: number) => boolean;
}

async function isBehind(
  streams: JetStreamPort,
  { entry, created, ...reader }: Reader,
  writers: readonly WriterPlace[],
): Promise<boolean> {
  // N5.
  if (entry !== undefined && isUnfinished(entry)) return true;
  for (const place of writers) {
    if (await hasUntaken(streams, { ...reader, place, taken: takenOf(entry, created, place.writer) })) return true;
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
