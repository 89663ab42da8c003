/**
 * The JetStream streams of a pipeline and those shared by all. Every function is idempotent: it changes only what
 * differs.
 *
 * S1  Edges and dead letters refuse what does not fit (`discard: new`) and drop nothing by age: only their writers
 *     sweep (E6), and make room. Their limit starts small, because JetStream reserves it at once, and grows with use.
 *     They store a frame and a note about it atomically (E11), which needs nats-server 2.12.
 * S2  Leases and reports are in memory: losing them costs a takeover, never a record. They have as many replicas as the
 *     pipelines' streams, so that losing one nats-server costs a leader election, not the leases and reports.
 * S3  A pipeline's stream is used, changed and deleted only if it is the pipeline's own (`./stream-owner.ts`).
 */
import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import {
  commitsEdge,
  commitSubject,
  deadEdge,
  edgeStream,
  edgeSubjects,
  leaseStream,
  leaseSubjects,
  onceSubject,
  reportStream,
  reportSubjects,
} from '../model/names.ts';
import { mr, problemOf } from '../model/errors.ts';
import type { Plan } from '../model/plan.ts';
import { systemClock } from './clock.ts';
import { committedPosition } from './commit-entry.ts';
import { findStream } from './find-stream.ts';
import { classifyPublishFailure, isNameInUse, isStreamNotFound, isSubjectsInUse } from './jetstream-errors.ts';
import type { JetStreamPort, StreamSettings } from './jetstream-port.ts';
import type { Act } from './act.ts';
import { registerPlan } from './members.ts';
import { firstBytes } from './room.ts';
import { foreignStream, isOwn, ownerMetadata, type StreamOwner } from './stream-owner.ts';

export interface StreamOptions {
  /** Replicas of each stream. Default 1; 3 in production. */
  readonly replicas?: number;
}

export interface PipelineStreamOptions extends StreamOptions {
  /** uid of the cluster that the pipeline is in. */
  readonly cluster?: string;
  /** Whether the pipeline adopts streams of its name without metadata, because v0.1 has set it up. Default false. */
  readonly adopts?: boolean;
  /**
   * The number of the first message in a stream that is created. Default 1. A recreated stream gets a number that its
   * predecessor never reached: its writers keep running, and an expected sequence fences them only while it identifies
   * a single frame (E4).
   */
  readonly firstSequence?: number;
  /** Further metadata for the stream of the commits. Default: none. */
  readonly ofCommits?: Readonly<Record<string, string>>;
  /** Create only the stream of this edge. Default: all. */
  readonly only?: string;
}

const duplicateWindowMs = 120_000;
const reportMaxAgeMs = 60_000;
/** How long the marker of an expired lease stays: well above the interval in which pods look. */
const leaseMarkerMs = 60_000;

const durable = {
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  max_age: 0,
  duplicate_window: nanos(duplicateWindowMs),
  allow_direct: true,
} as const;

/** Leases and reports, with the configured replicas: created by the lifecycle when it starts and by provisioning. */
export async function ensureSharedStreams(streams: JetStreamPort, options: StreamOptions = {}): Promise<void> {
  for (const wanted of sharedStreams(options.replicas ?? 1)) await ensure(streams, wanted);
}

/**
 * For a pod that finds leases and reports gone (nats-server restarted). Creates them with as many replicas as the
 * pipeline's own streams have, and leaves existing ones unchanged: the lifecycle decides how many replicas there are.
 */
export async function remakeSharedStreams(streams: JetStreamPort, pid: string): Promise<void> {
  for (const wanted of sharedStreams(await replicasOf(streams, pid)))
    await unless(isNameInUse, streams.addStream(wanted));
}

/** One where the pipeline has no streams yet: provisioning then corrects the shared ones, too. */
async function replicasOf(streams: JetStreamPort, pid: string): Promise<number> {
  const commits = await findStream(streams, edgeStream(pid, commitsEdge));
  return commits?.config.num_replicas ?? 1;
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

/**
 * Edges, commits and dead letters of one pipeline, with their registrations: all that must exist before a pod starts.
 */
export async function ensurePipelineStreams(
  streams: JetStreamPort,
  plan: Plan,
  options: PipelineStreamOptions & Partial<Omit<Act, 'streams'>> = {},
): Promise<void> {
  await makePipelineStreams(streams, plan, options);
  await registerPlan({ streams, opSeq: options.opSeq ?? 0, clock: options.clock ?? systemClock }, plan);
}

/** Only the streams. */
export async function makePipelineStreams(
  streams: JetStreamPort,
  plan: Plan,
  options: PipelineStreamOptions = {},
): Promise<void> {
  const { pid, uid } = plan.pipeline;
  const owner = { pid, uid, adopts: options.adopts ?? false };
  const most = new Map([
    ...plan.edges.map(({ name, maxBytes }) => [edgeStream(pid, name), maxBytes] as const),
    [edgeStream(pid, deadEdge), plan.deadLetters.maxBytes] as const,
  ]);
  const { only } = options;
  const chosen = pipelineStreams(plan, options).filter(
    ({ name }) => only === undefined || name === edgeStream(pid, only),
  );
  for (const wanted of chosen) {
    await ensure(streams, wanted, owner, most.get(wanted.name));
    if (wanted.allow_atomic === true) await mustStoreTogether(streams, wanted.name);
  }
}

/** A server before 2.12 silently ignores the setting: notes would not be stored atomically with frames. */
async function mustStoreTogether(streams: JetStreamPort, stream: string): Promise<void> {
  const { config } = await streams.streamInfo(stream);
  if (config.allow_atomic !== true) throw mr('MR_NATS_TOO_OLD', { server: streams.server, needed: '2.12' });
}

/** What {@link makePipelineStreams} makes. Pure. */
export function pipelineStreams(plan: Plan, options: PipelineStreamOptions = {}): StreamSettings[] {
  const { pid } = plan.pipeline;
  const common = (edge: string, ...more: string[]) => ({
    ...durable,
    ...(options.firstSequence === undefined ? {} : { first_seq: options.firstSequence }),
    name: edgeStream(pid, edge),
    subjects: [edgeSubjects(pid, edge), ...more],
    num_replicas: options.replicas ?? 1,
    metadata: ownerMetadata(plan, options.cluster),
  });
  return [
    ...plan.edges.map((edge) => ({
      ...common(edge.name, onceSubject(pid, edge.name, '*')),
      // E11.
      allow_atomic: true,
      allow_msg_ttl: true,
      discard: DiscardPolicy.New,
      max_bytes: Math.min(edge.maxBytes, firstBytes.edge),
    })),
    {
      ...common(commitsEdge),
      metadata: { ...ownerMetadata(plan, options.cluster), ...options.ofCommits },
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 1,
    },
    {
      ...common(deadEdge),
      discard: DiscardPolicy.New,
      max_bytes: Math.min(plan.deadLetters.maxBytes, firstBytes.deadLetters),
    },
  ];
}

/** Whether every stream of the plan exists and is the pipeline's own. */
export async function pipelineStreamsExist(
  streams: JetStreamPort,
  plan: Plan,
  { adopts = false }: Pick<PipelineStreamOptions, 'adopts'> = {},
): Promise<boolean> {
  const { pid, uid } = plan.pipeline;
  const names = new Set((await streamsOf(streams, { pid, uid, adopts })).own);
  return pipelineStreams(plan).every((stream) => names.has(stream.name));
}

/**
 * Deletes every stream of a pipeline, including those that a newer plan no longer names. Resolves with the names of the
 * streams that were left alone because they are foreign (S3).
 */
export async function deletePipelineStreams(streams: JetStreamPort, owner: StreamOwner): Promise<readonly string[]> {
  const { own, foreign } = await streamsOf(streams, owner);
  for (const name of own) await unless(isStreamNotFound, streams.deleteStream(name));
  return foreign;
}

/** Adds metadata to the streams of a pipeline. */
export async function markPipelineStreams(
  streams: JetStreamPort,
  owner: StreamOwner,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  for (const name of (await streamsOf(streams, owner)).own) {
    const { config } = await streams.streamInfo(name);
    await streams.updateStream({ ...config, metadata: { ...config.metadata, ...metadata } });
  }
}

/** Streams that receive subjects of the pipeline. */
async function streamsOf(streams: JetStreamPort, owner: StreamOwner): Promise<{ own: string[]; foreign: string[] }> {
  const found = { own: [] as string[], foreign: [] as string[] };
  for (const name of await streams.streamNames(`mr.${owner.pid}.>`)) {
    const info = await findStream(streams, name);
    // Deleted since it was listed.
    if (info === undefined) continue;
    (isOwn(info.config, owner) ? found.own : found.foreign).push(name);
  }
  return found;
}

/** The stream sequence up to which a slot has committed its shard; 0 before its first commit. */
export async function committedOf(streams: JetStreamPort, pid: string, stage: string, slot: number): Promise<number> {
  const stream = edgeStream(pid, commitsEdge);
  const last = await streams.directGet(stream, { last_by_subj: commitSubject(pid, stage, slot) });
  return last === null ? 0 : committedPosition(last.data, { stream, sequence: last.seq });
}

/**
 * Removes the messages of a pipeline from the shared streams, after its own streams have gone. Where streams of another
 * pipeline with the same short id are left (S3), the messages are that pipeline's, and stay.
 */
export async function forgetLeasesAndReports(streams: JetStreamPort, owner: StreamOwner): Promise<void> {
  const { foreign } = await streamsOf(streams, owner);
  if (foreign.length > 0) return;
  const { pid } = owner;
  await unless(isStreamNotFound, streams.purgeStream(leaseStream, { filter: leaseSubjects(pid) }));
  await unless(isStreamNotFound, streams.purgeStream(reportStream, { filter: reportSubjects(pid) }));
}

/**
 * `owner`: S3; absent for streams that all pipelines share. `most`: the stream has grown with use (`./room.ts`) and
 * keeps its size, up to this limit.
 */
async function ensure(
  streams: JetStreamPort,
  wanted: StreamSettings,
  owner?: StreamOwner,
  most?: number,
): Promise<void> {
  try {
    await unless(isNameInUse, streams.addStream(wanted), async () => {
      const { config } = await streams.streamInfo(wanted.name);
      if (owner !== undefined && !isOwn(config, owner)) throw foreignStream(streams.server, config);
      const grown = most === undefined ? {} : { max_bytes: grownLimit(config.max_bytes, wanted, most) };
      const { first_seq: _, ...kept } = wanted;
      await streams.updateStream({ ...kept, ...grown });
    });
  } catch (error) {
    if (isSubjectsInUse(error)) throw await whoHasSubjects(streams, wanted, error);
    if (classifyPublishFailure(error).kind !== 'full') throw error;
    const { name, max_bytes: bytes } = wanted;
    const refused = `${bytes ?? 0} bytes are to be reserved, but ${problemOf(error)}`;
    throw mr('MR_STORE_FULL', { server: streams.server, stream: name, limit: refused }, { cause: error });
  }
}

function grownLimit(has: number, wanted: StreamSettings, most: number): number {
  return Math.min(most, Math.max(has, wanted.max_bytes ?? 0));
}

/** A stream of another name receives the subjects, and with them what is published. */
async function whoHasSubjects(streams: JetStreamPort, { subjects }: StreamSettings, error: unknown): Promise<unknown> {
  const [name] = await streams.streamNames(subjects[0] ?? '>');
  if (name === undefined) return error;
  return foreignStream(streams.server, (await streams.streamInfo(name)).config);
}

async function unless(
  isExpected: (error: unknown) => boolean,
  done: Promise<unknown>,
  then?: () => Promise<void>,
): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!isExpected(error)) throw error;
    await then?.();
  }
}
