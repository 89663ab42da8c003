/**
 * The stored plans that readers use, and which of them is in force (E9).
 *
 * P1  The plan of a generation is stored before any frame names it, and stays while a frame of it is unread.
 * P2  The generation in force never decreases.
 * P3  A frame that names a plan older than the oldest stored one is read under the oldest: frames of v0.1, which name
 *     none, and frames that a person has decided to read again.
 * P4  A number identifies one plan. A different plan under a used number (a restored etcd counts again) is refused,
 *     and so is one that is older than the plan in force, because it could never come into force.
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { mr, problemOf, type MillraceError } from '../model/errors.ts';
import { canonicalJson, parseJson, toJson } from '../model/json.ts';
import { commitsEdge, edgeStream, planSubject, storedPlanSubject } from '../model/names.ts';
import { sinksOf, type Edge, type Plan } from '../model/plan.ts';
import { changeRecord, decodeRecord, readRecord } from './commit-record.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';

const count = z.number().int().nonnegative();

const inForceSchema = z.object({
  generation: count,
  /** The oldest stored plan (P3). */
  oldest: count,
  /** The sources of the plan in force: a writer of any other source keeps naming the plan that it has. */
  sources: z.array(z.string()),
});

export type PlanInForce = z.infer<typeof inForceSchema>;

/** Only Millrace writes it, from a `Plan`; the version tells whether this process understands it. */
export const planSchema = z.custom<Plan>(
  (value) => typeof value === 'object' && value !== null && 'planVersion' in value && value.planVersion === 1,
);

/** Bounded, because a damaged message must not allocate gigabytes. */
const maxPlanBytes = 64 * 2 ** 20;

export function readPlanInForce(streams: JetStreamPort, pid: string): Promise<PlanInForce | undefined> {
  return readRecord(streams, pid, planSubject(pid), inForceSchema);
}

export function decodePlanInForce(data: Uint8Array, pid: string): PlanInForce {
  return decodeRecord(data, inForceSchema, edgeStream(pid, commitsEdge), 0);
}

/** The program that compiled a stored plan. */
const releaseHeader = 'Millrace-Release';

/** The first plan stored for a generation is kept: a plan does not change. P4: throws MR_GENERATION_USED. */
export async function storePlan(streams: JetStreamPort, plan: Plan, release = ''): Promise<void> {
  const { pid, generation } = plan.pipeline;
  try {
    // Compressed: the sinks of a plan repeat its steps, and a message has a size limit.
    const data = zstdCompressSync(Buffer.from(JSON.stringify(plan)));
    const headers = { [releaseHeader]: release };
    await streams.publish(storedPlanSubject(pid, generation), data, { expectLast: 0, headers });
  } catch (error) {
    if (classifyPublishFailure(error).kind !== 'wrongSequence') throw error;
    await assertIsStored(streams, plan, release);
  }
}

/** Compares the stages: frames are read under them. Two releases may compile one spec differently. */
async function assertIsStored(streams: JetStreamPort, plan: Plan, release: string): Promise<void> {
  const { pid, generation } = plan.pipeline;
  const stored = await storedMessage(streams, pid, generation);
  if (stored === null || stored.header.get(releaseHeader) !== release) return;
  if (canonicalJson(toJson(decodePlan(stored, pid).stages)) === canonicalJson(toJson(plan.stages))) return;
  throw generationUsed(plan, (await readPlanInForce(streams, pid))?.generation ?? generation);
}

/** P4. */
export function generationUsed({ pipeline: { name, namespace, generation } }: Plan, newest: number): MillraceError {
  return mr('MR_GENERATION_USED', { name, namespace, generation, newest: Math.max(newest, generation) });
}

export async function readStoredPlan(
  streams: JetStreamPort,
  pid: string,
  generation: number,
): Promise<Plan | undefined> {
  const stored = await storedMessage(streams, pid, generation);
  return stored === null ? undefined : decodePlan(stored, pid);
}

function storedMessage(streams: JetStreamPort, pid: string, generation: number): Promise<StoredMessage | null> {
  const subject = storedPlanSubject(pid, generation);
  return streams.getMessage(edgeStream(pid, commitsEdge), { last_by_subj: subject });
}

export interface KnownPlans {
  /** Those that are stored. */
  readonly plans: readonly Plan[];
  /** P3: frames that name an older one are read under this one, whether or not it is stored. */
  readonly oldest: number;
}

export async function knownPlans(streams: JetStreamPort, pid: string): Promise<KnownPlans> {
  const plans = await storedPlans(streams, pid);
  const inForce = await readPlanInForce(streams, pid);
  const generations = plans.map(({ pipeline }) => pipeline.generation);
  return { plans, oldest: inForce?.oldest ?? Math.min(...generations) };
}

/** Whether a reader is not in the plan under which frames of a generation are read. A plan that is not stored may have it. */
export function plansWithout(
  { plans, oldest }: KnownPlans,
  edge: Edge,
  reader: string,
): (generation: number) => boolean {
  const without = plans.filter((plan) => !sinksOf(plan, edge).some(({ name }) => name === reader));
  const generations = new Set(without.map(({ pipeline }) => pipeline.generation));
  return (generation) => generations.has(Math.max(generation, oldest));
}

/** Every stored plan. */
export async function storedPlans(streams: JetStreamPort, pid: string): Promise<Plan[]> {
  const stored = await streams.lastOfEach(edgeStream(pid, commitsEdge), `${planSubject(pid)}.*`);
  return stored.map((message) => decodePlan(message, pid));
}

/**
 * P2. Writers are notified at once, through the subject. `oldest`: the oldest stored plan; by default that of the
 * plan in force.
 */
export async function announcePlan(
  streams: JetStreamPort,
  plan: Plan,
  oldest = plan.pipeline.generation,
): Promise<void> {
  const { pid, generation } = plan.pipeline;
  const sources = plan.stages.flatMap((stage) => (stage.kind === 'ingestor' ? [stage.source] : []));
  await changeRecord(streams, pid, planSubject(pid), inForceSchema, (now) => {
    if (now !== undefined && now.generation >= generation) return undefined;
    return { generation, oldest: now?.oldest ?? oldest, sources };
  });
}

/** Deletes plans older than `oldest`, of which no frame is unread; never the one in force. */
export async function forgetPlansBefore(streams: JetStreamPort, pid: string, oldest: number): Promise<void> {
  const kept = await changeRecord(streams, pid, planSubject(pid), inForceSchema, (now) => {
    const least = Math.min(oldest, now?.generation ?? 0);
    return now === undefined || now.oldest >= least ? undefined : { ...now, oldest: least };
  });
  const stream = edgeStream(pid, commitsEdge);
  for (const { subject } of await streams.lastOfEach(stream, `${planSubject(pid)}.*`)) {
    const generation = Number(subject.slice(subject.lastIndexOf('.g') + 2));
    if (generation < (kept?.oldest ?? 0)) await streams.purgeStream(stream, { filter: subject });
  }
}

function decodePlan({ data, seq }: StoredMessage, pid: string): Plan {
  try {
    return planSchema.parse(parseJson(zstdDecompressSync(data, { maxOutputLength: maxPlanBytes }).toString('utf8')));
  } catch (error) {
    const stream = edgeStream(pid, commitsEdge);
    throw mr('MR_FRAME_CORRUPT', { stream, sequence: seq, problem: problemOf(error) }, { cause: error });
  }
}
