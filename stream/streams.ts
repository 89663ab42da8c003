/**
 * The JetStream streams of a pipeline and those shared by all. Every function may run again at any time: it looks, and
 * changes only what differs.
 *
 * S1  Edges and dead letters refuse what does not fit (`discard: new`) and forget nothing by age: only who writes sweeps
 *     (E6), and makes room. Their limit begins small, because JetStream reserves it at once, and grows with use.
 * S2  Leases and reports are in memory: losing them costs a takeover, never a record. They have as many copies as the
 *     pipelines' streams, so that losing one nats-server costs a new leader, and not them.
 */
import { DiscardPolicy, JetStreamApiError, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { commitsEdge, commitSubject, deadEdge, edgeStream, leaseStream, reportStream } from '../model/names.ts';
import { mr, problemOf } from '../model/errors.ts';
import type { Plan } from '../model/plan.ts';
import { systemClock } from './clock.ts';
import { committedPosition } from './commit-entry.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort, StreamSettings } from './jetstream-port.ts';
import { firstBytes } from './room.ts';
import { registerPlan, type Act } from './members.ts';

export { isDrained, type Backlog } from './drained.ts';

export interface StreamOptions {
  /** Copies of each stream. Default 1; 3 in production. */
  readonly replicas?: number;
}

const duplicateWindowMs = 120_000;
const reportMaxAgeMs = 60_000;
/** How long a marker of an expired lease stays: well above the time in which somebody looks. */
const leaseMarkerMs = 60_000;
const apiCodes = { streamNotFound: 10059, nameInUse: 10058 } as const;

const durable = {
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  max_age: 0,
  duplicate_window: nanos(duplicateWindowMs),
  allow_direct: true,
} as const;

/** Leases and reports, with the copies that are configured: made by the lifecycle when it starts and by provisioning. */
export async function ensureSharedStreams(streams: JetStreamPort, options: StreamOptions = {}): Promise<void> {
  for (const wanted of sharedStreams(options.replicas ?? 1)) await ensureStream(streams, wanted);
}

/**
 * For a pod that finds leases and reports gone (nats-server restarted). It makes them with as many copies as the
 * pipeline's own streams have, and leaves one that is there as it is: how many copies there are is the lifecycle's say.
 */
export async function remakeSharedStreams(streams: JetStreamPort, pid: string): Promise<void> {
  for (const wanted of sharedStreams(await replicasOf(streams, pid)))
    await unless(apiCodes.nameInUse, streams.addStream(wanted));
}

/** One where the pipeline has no streams yet: who makes those sees to the shared ones, too. */
async function replicasOf(streams: JetStreamPort, pid: string): Promise<number> {
  try {
    return (await streams.streamInfo(edgeStream(pid, commitsEdge))).config.num_replicas;
  } catch (error) {
    if (isApiError(error, apiCodes.streamNotFound)) return 1;
    throw error;
  }
}

function sharedStreams(num_replicas: number): StreamSettings[] {
  return [
    {
      name: leaseStream,
      subjects: ['mr-lease.>'],
      storage: StorageType.Memory,
      num_replicas,
      max_msgs_per_subject: 1,
      allow_msg_ttl: true,
      subject_delete_marker_ttl: nanos(leaseMarkerMs),
      allow_direct: true,
    },
    {
      name: reportStream,
      subjects: ['mr-report.>'],
      storage: StorageType.Memory,
      num_replicas,
      max_msgs_per_subject: 1,
      max_age: nanos(reportMaxAgeMs),
      allow_direct: true,
    },
  ];
}

/** Edges, commits and dead letters of one pipeline, and in them who takes part: all that must be there before a pod starts. */
export async function ensurePipelineStreams(
  streams: JetStreamPort,
  plan: Plan,
  options: StreamOptions & Partial<Omit<Act, 'streams'>> = {},
): Promise<void> {
  await makePipelineStreams(streams, plan, options);
  await registerPlan({ streams, opSeq: options.opSeq ?? 0, clock: options.clock ?? systemClock }, plan);
}

/** The streams alone. */
export async function makePipelineStreams(
  streams: JetStreamPort,
  plan: Plan,
  options: StreamOptions = {},
): Promise<void> {
  const most = new Map([
    ...plan.edges.map(({ name, maxBytes }) => [edgeStream(plan.pipeline.pid, name), maxBytes] as const),
    [edgeStream(plan.pipeline.pid, deadEdge), plan.deadLetters.maxBytes] as const,
  ]);
  for (const wanted of pipelineStreams(plan, options)) await ensureStream(streams, wanted, most.get(wanted.name));
}

/** The streams of one pipeline. Pure. */
export function pipelineStreams(plan: Plan, options: StreamOptions = {}): StreamSettings[] {
  const { pid } = plan.pipeline;
  const num_replicas = options.replicas ?? 1;
  const subjects = (edge: string) => [`mr.${pid}.${edge}.>`];
  return [
    ...plan.edges.map((edge) => ({
      ...durable,
      name: edgeStream(pid, edge.name),
      subjects: subjects(edge.name),
      num_replicas,
      discard: DiscardPolicy.New,
      max_bytes: Math.min(edge.maxBytes, firstBytes.edge),
    })),
    {
      ...durable,
      name: edgeStream(pid, commitsEdge),
      subjects: subjects(commitsEdge),
      num_replicas,
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 1,
    },
    {
      ...durable,
      name: edgeStream(pid, deadEdge),
      subjects: subjects(deadEdge),
      num_replicas,
      discard: DiscardPolicy.New,
      max_bytes: Math.min(plan.deadLetters.maxBytes, firstBytes.deadLetters),
    },
  ];
}

export async function pipelineStreamsExist(streams: JetStreamPort, plan: Plan): Promise<boolean> {
  const names = new Set(await streams.streamNames(`mr.${plan.pipeline.pid}.>`));
  return pipelineStreams(plan).every((stream) => names.has(stream.name));
}

/** Deletes every stream of a pipeline, also those that a newer plan no longer names. */
export async function deletePipelineStreams(streams: JetStreamPort, pipeline: Plan | string): Promise<void> {
  const pid = typeof pipeline === 'string' ? pipeline : pipeline.pipeline.pid;
  for (const name of await streams.streamNames(`mr.${pid}.>`)) {
    await unless(apiCodes.streamNotFound, streams.deleteStream(name));
  }
}

/** The stream sequence up to which a slot has committed its shard; 0 before its first commit. */
export async function committedOf(streams: JetStreamPort, pid: string, stage: string, slot: number): Promise<number> {
  const stream = edgeStream(pid, commitsEdge);
  const last = await streams.directGet(stream, { last_by_subj: commitSubject(pid, stage, slot) });
  return last === null ? 0 : committedPosition(last.data, { stream, sequence: last.seq });
}

/** Drops what the shared streams hold of a pipeline. */
export async function forgetLeasesAndReports(streams: JetStreamPort, pid: string): Promise<void> {
  await unless(apiCodes.streamNotFound, streams.purgeStream(leaseStream, { filter: `mr-lease.${pid}.>` }));
  await unless(apiCodes.streamNotFound, streams.purgeStream(reportStream, { filter: `mr-report.${pid}.>` }));
}

/** `most`: the stream has grown with use (`./room.ts`); it keeps what it has, up to that. */
async function ensureStream(streams: JetStreamPort, wanted: StreamSettings, most?: number): Promise<void> {
  try {
    await unless(apiCodes.nameInUse, streams.addStream(wanted), async () => {
      const grown = most === undefined ? {} : { max_bytes: await grownLimit(streams, wanted, most) };
      await streams.updateStream({ ...wanted, ...grown });
    });
  } catch (error) {
    if (classifyPublishFailure(error).kind !== 'full') throw error;
    const { name, max_bytes: bytes } = wanted;
    const refused = `${bytes ?? 0} bytes are to be reserved, but ${problemOf(error)}`;
    throw mr('MR_STORE_FULL', { server: streams.server, stream: name, limit: refused }, { cause: error });
  }
}

async function grownLimit(streams: JetStreamPort, wanted: StreamSettings, most: number): Promise<number> {
  const { config } = await streams.streamInfo(wanted.name);
  return Math.min(most, Math.max(config.max_bytes, wanted.max_bytes ?? 0));
}

async function unless(code: number, done: Promise<unknown>, then?: () => Promise<void>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!isApiError(error, code)) throw error;
    await then?.();
  }
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
