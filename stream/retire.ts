/**
 * Removes stages, sources and old plans from an edge (E10). The lifecycle runs these acts once a plan without them is in
 * force, and may repeat each after an interruption anywhere.
 *
 * L1  The slots of a leaving source may not start any more, and each of its subjects gets a last frame, so that an owner
 *     that was frozen cannot append (E4). When all readers have read its frames, its subjects are emptied. The
 *     registry records that it left and at which sequence, so that readers do not take that for a loss, and its
 *     positions, so that it continues from there when it comes back (`./kept-position.ts`).
 * L2  A leaving stage reads on until it has read every frame of a plan that has it. Then it is removed from the registry,
 *     and only then its commits are deleted: a later stage of the same name starts anew.
 * L3  A plan is forgotten when the edge holds no frame of it or of an earlier one. Frames that were read count, too: a
 *     person's decision may have them read again.
 * L4  If an edge goes back after a leaving stage was read to its end and stopped, the stage has something to ask, or to
 *     read again, and no pod that would. Then the operation begins again, and starts them. Seed 11016180: it was waited
 *     for, for good.
 * L5  The last frames of a leaving source are looked at each time, and before its frames are removed. The edge may lose one, and
 *     then a frozen owner could append: that frame was acknowledged, and removed unread.
 */
import { commitsEdge, edgeStream, slotTokens } from '../model/names.ts';
import { ingestorsOf, sinksOf, type Edge, type Plan } from '../model/plan.ts';
import { appendAfter, tailOf, tailsOf } from './announce.ts';
import type { LastFrame } from './empty-frame.ts';
import { haveEnded, nothing } from './last-frames.ts';
import { positionOf } from './commit-entry.ts';
import { commitOf, framesAfter, isDrained, type Backlog } from './drained.ts';
import { forgetQuestions } from './decisions.ts';
import { decodeFrame, planIn } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { lastCommits } from './last-commit.ts';
import type { Act } from './act.ts';
import { passOverAll } from './pass-over.ts';
import { forgetPlansBefore, readPlanInForce, storedPlans } from './plan-store.ts';
import { changeRegistered, changeRegistry, readRegistry, type Registry } from './registry.ts';
import { removeSource } from './remove-source.ts';
import { writersOfSource, type WriterPlace } from './writer-place.ts';

interface Leaving {
  /** Reading stages. */
  readonly readers: readonly string[];
  readonly sources: readonly string[];
}

/** Participants that are registered but not in the plan. */
export async function leavingOf(streams: JetStreamPort, plan: Plan): Promise<Leaving> {
  const readers: string[] = [];
  const sources: string[] = [];
  for (const edge of plan.edges) {
    const registry = await readRegistry(streams, plan.pipeline.pid, edge.name);
    if (registry === undefined) continue;
    const leaving = leavingIn(plan, edge, registry);
    readers.push(...leaving.readers);
    sources.push(...leaving.sources);
  }
  return { readers, sources };
}

function leavingIn(plan: Plan, edge: Edge, registry: Registry): Leaving {
  const readers = sinksOf(plan, edge).map(({ name }) => name);
  const sources = ingestorsOf(plan, edge).map(({ source }) => source);
  return {
    readers: registry.readers.filter((name) => !readers.includes(name)),
    sources: Object.keys(registry.sources).filter((name) => !sources.includes(name)),
  };
}

/** The first half of L1. Their pods have been stopped. */
export async function beginLeaving(act: Act, plan: Plan): Promise<void> {
  const { streams } = act;
  const { pid } = plan.pipeline;
  for (const edge of plan.edges) {
    const registry = await readRegistry(streams, pid, edge.name);
    if (registry === undefined) continue;
    for (const source of leavingIn(plan, edge, registry).sources) {
      const places = placesOf(plan, edge, registry, [source]);
      if (haveEnded(await tailsOf(streams, places), registry.sources[source]?.ends)) continue;
      await mark(act, plan, edge, [source], { leaving: true });
      const ends: LastFrame[] = [];
      for (const place of places) ends.push(await fence(act, place));
      await mark(act, plan, edge, [source], { leaving: true, ends });
    }
  }
}

async function mark(
  { streams, opSeq }: Act,
  { pipeline: { pid } }: Plan,
  edge: Edge,
  marked: readonly string[],
  as: Pick<Registry['sources'][string], 'leaving' | 'ends'>,
): Promise<void> {
  await changeRegistered(streams, { pid, edge: edge.name, opSeq }, (now) => ({
    ...now,
    sources: Object.fromEntries(
      Object.entries(now.sources).map(([name, source]) => [
        name,
        marked.includes(name) ? { ...source, ...as } : source,
      ]),
    ),
  }));
}

function placesOf(plan: Plan, edge: Edge, registry: Registry, sources: readonly string[]): WriterPlace[] {
  return sources.flatMap((source) => writersOfSource(plan, edge, source, registry.sources[source]?.slots ?? 0));
}

/** L5. Under the plan of the writer's last frame: a newer one does not have the source. */
async function fence(act: Act, place: WriterPlace): Promise<LastFrame> {
  for (;;) {
    const tail = await tailOf(act.streams, place);
    // Without a frame there is no place for one: who was frozen expects another number.
    const end = tail.frame === undefined ? nothing : await appendAfter(act, tail, planIn(tail.frame));
    if (end !== undefined) return end;
  }
}

/**
 * What leaving readers have still to read, and what has still to be read of leaving sources. A reader that has never
 * started is moved past frames that are not for it (`./pass-over.ts`).
 */
export async function unfinished(streams: JetStreamPort, plan: Plan): Promise<readonly Backlog[]> {
  const leaving = await leavingOf(streams, plan);
  const behind: Backlog[] = [];
  if (leaving.sources.length === 0 && leaving.readers.length === 0) return behind;
  await passOverAll(streams, plan);
  if (leaving.sources.length > 0) {
    const source = (name: string) => leaving.sources.includes(name);
    const stage = (name: string) => !leaving.readers.includes(name);
    behind.push(...(await isDrained(streams, plan, { source, stage })).behind);
    if (behind.length === 0) behind.push(...(await beforeLastOf(streams, plan, leaving)));
  }
  if (leaving.readers.length === 0) return behind;
  const stage = (name: string) => leaving.readers.includes(name);
  return [...behind, ...(await isDrained(streams, plan, { stage })).behind];
}

/**
 * L4. The leaving stage of `behind` that must be started again, if any. Pure. `readers`: those that leave. `isStopped`: the
 * stage is there, and is to have no pods.
 */
export function stoppedBehind(
  behind: readonly Backlog[],
  readers: readonly string[],
  isStopped: (stage: string) => boolean,
): string | undefined {
  return behind.find(({ stage }) => readers.includes(stage) && isStopped(stage))?.stage;
}

/**
 * Readers that have not committed the last frame of a leaving source. The frame holds no records, but a batch may start
 * with it, and could not be repeated without it.
 */
async function beforeLastOf(streams: JetStreamPort, plan: Plan, leaving: Leaving): Promise<readonly Backlog[]> {
  const { pid } = plan.pipeline;
  const behind: Backlog[] = [];
  for (const edge of plan.edges) {
    const registry = await readRegistry(streams, pid, edge.name);
    if (registry === undefined) continue;
    const stages = registry.readers.filter((name) => !leaving.readers.includes(name));
    for (const place of placesOf(plan, edge, registry, leavingIn(plan, edge, registry).sources)) {
      const tail = await tailOf(streams, place);
      const slot = place.shard;
      for (const stage of stages) {
        const entry = await commitOf(streams, pid, stage, slot);
        // Without an entry no batch was begun.
        const committed = entry === undefined ? tail.sequence : positionOf(entry);
        if (committed >= tail.sequence) continue;
        behind.push({ stage, slot, frames: await framesAfter(streams, pid, edge.name, slot, committed) });
      }
    }
  }
  return behind;
}

/**
 * The second half of L1 and L2: their pods are gone, and everything was read or given up. Readers first: a source's frames
 * are removed only when every registered reader is past them (E6), and a reader that leaves as well need not be.
 * `isGivenUp`: by Immediate, whatever is unread. Otherwise throws MR_SOURCE_WROTE_AGAIN (L5).
 */
export async function finishLeaving(act: Act, plan: Plan, { isGivenUp = false } = {}): Promise<void> {
  for (const edge of plan.edges) {
    const { pid } = plan.pipeline;
    const before = await readRegistry(act.streams, pid, edge.name);
    if (before === undefined) continue;
    const { readers, sources } = leavingIn(plan, edge, before);
    for (const stage of readers) await removeReader(act, plan, edge, stage);
    // With Immediate nobody has begun to take them off, and a pod on a lost node may start a slot at any moment.
    if (sources.length > 0) await mark(act, plan, edge, sources, { leaving: true });
    const registry = (await readRegistry(act.streams, pid, edge.name)) ?? before;
    for (const source of sources) {
      // Given up by Immediate while a sink is in the middle of its frames: a later operation removes the source.
      if (await isInBatch(act.streams, plan, edge, registry, source)) continue;
      await removeSource(act, plan, edge, registry, { source, isGivenUp });
    }
  }
}

/** A batch in progress may hold frames of the source. It is repeated whole or not at all, so they stay until it is done. */
async function isInBatch(
  streams: JetStreamPort,
  plan: Plan,
  edge: Edge,
  registry: Registry,
  source: string,
): Promise<boolean> {
  for (const place of placesOf(plan, edge, registry, [source])) {
    const tail = await tailOf(streams, place);
    for (const stage of registry.readers) {
      const entry = await commitOf(streams, plan.pipeline.pid, stage, place.shard);
      if (entry !== undefined && entry.kind !== 'commit' && entry.from <= tail.sequence) return true;
    }
  }
  return false;
}

async function removeReader(act: Act, plan: Plan, edge: Edge, stage: string): Promise<void> {
  const { streams, opSeq } = act;
  const { pid } = plan.pipeline;
  const stream = edgeStream(pid, commitsEdge);
  const lasts = (await lastCommits(streams, pid, stage, edge.shards)).filter((last) => last !== null);
  await changeRegistry(streams, { pid, edge: edge.name, opSeq }, (now) => {
    if (now === undefined) throw new TypeError('a reader leaves an edge that has no registry');
    return { ...now, readers: now.readers.filter((name) => name !== stage) };
  });
  await forgetQuestions(streams, pid, slotTokens(stage, '*'));
  // If a reader of this name has come back meanwhile, its new commits are later than these, and stay.
  for (const { subject, seq } of lasts) await streams.purgeStream(stream, { filter: subject, seq: seq + 1 });
}

/** L3. */
export async function prunePlans(streams: JetStreamPort, plan: Plan): Promise<void> {
  const { pid } = plan.pipeline;
  const inForce = await readPlanInForce(streams, pid);
  if (inForce === undefined || (await storedPlans(streams, pid)).length <= 1) return;
  let oldest = inForce.generation;
  for (const edge of plan.edges) {
    const registry = await readRegistry(streams, pid, edge.name);
    if (registry === undefined) return;
    for (const { stream, subject } of placesOf(plan, edge, registry, Object.keys(registry.sources))) {
      const first = await streams.directGet(stream, { seq: 1, next_by_subj: subject });
      // Lost, or not yet on the replica that answered.
      if (first === null) return;
      oldest = Math.min(oldest, planIn(decodeFrame(first.data, { stream, sequence: first.seq })));
    }
  }
  await forgetPlansBefore(streams, pid, oldest);
}
