/**
 * Who takes part in an edge, and how they come (E10): acts of the lifecycle, before pods start. Every act may run again
 * after having been cut anywhere.
 *
 * M1  A reader's first commit is stored before it is registered. A new one begins at the end of the edge: what is
 *     there belongs to plans that do not know it. The end, what its subject holds and whether it is registered are read
 *     in this order, so an act that was frozen in between cannot overwrite what the reader has committed since.
 * M2  A writer's first frame, without records, is stored before its source is registered. So a subject of a registered
 *     source is never empty, and an owner that was frozen before its first frame cannot append when it wakes (E4). It has
 *     no position, or that at which the slot stood when the source left (`./kept-position.ts`).
 * M3  An edge of v0.1 knows no registration: its stages keep their commits, and those without one begin at the start.
 *     Until all of it is written down no plan is in force, so that whoever begins again after a cut still knows.
 * M4  What v0.1 has left of sources that were removed, or that the first edit of today removes, leaves as those do that are
 *     removed today (`./retire.ts`).
 * M5  In an edge that is at work the first frames of new writers come before new readers are registered: a frame may have
 *     to wait for room, and a reader that counts and does not run yet would keep that from coming for ever.
 * M6  Who is not registered yet keeps nothing from being swept, so a new reader is placed once more, at the end of the edge,
 *     when it is: what was swept in between belongs to plans that do not know it, and it need not miss it. That this is
 *     still to be done is in its commit, so that it is done once, whatever is cut or sleeps.
 */
import { isDeepStrictEqual } from 'node:util';
import { commitsEdge, commitSubject, edgeStream } from '../model/names.ts';
import { ingestorsOf, sinksOf, type Edge, type IngestorStage, type Plan } from '../model/plan.ts';
import type { Clock } from '../model/clock.ts';
import { decodeCommitEntry, type CommitEntry } from './commit-entry.ts';
import { endIn, type EdgeEnds } from './edge-ends.ts';
import { appendEmpty } from './empty-frame.ts';
import { linkTo } from './edge-writer.ts';
import { foundIn } from './found-in-edge.ts';
import { decodeFrame } from './frame-reader.ts';
import { unlinked } from './frame.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort, StoredMessage, StreamSettings } from './jetstream-port.ts';
import { lastCommit, lastCommits } from './last-commit.ts';
import { announcePlan, generationUsed, readPlanInForce, storedPlans, storePlan } from './plan-store.ts';
import { assertLatest, changeRegistered, changeRegistry, readRegistry, type Registry } from './registry.ts';
import { assertNoneReturnsOther } from './returning.ts';
import { writersOfSource, type WriterPlace } from './writer-place.ts';

export interface Act {
  readonly streams: JetStreamPort;
  /** Sequence of the operation. */
  readonly opSeq: number;
  readonly clock: Pick<Clock, 'now'>;
  /** What has compiled the plan: another may compile the same spec differently. */
  readonly release?: string | undefined;
}

export interface Registering {
  /**
   * The plan whose pods of v0.1 are running (M3); their writers are registered when they have gone
   * ({@link registerWriters}), because they do not read frames of today.
   */
  readonly before?: Plan | undefined;
}

export interface RegisteringReaders extends Registering {
  /** Where a reader begins that is not registered yet. Default: after what the edge holds. */
  readonly readFrom?: 'start' | 'end';
  /** Where the edges ended, as it was noted. Default: as they are. */
  readonly ends?: EdgeEnds;
}

/**
 * Stores the plan and registers who takes part in it. Throws, before it has changed anything, MR_SOURCE_NOT_GONE
 * or MR_SOURCE_RETURNS_OTHER (`./returning.ts`) and MR_GENERATION_USED (`./plan-store.ts`).
 */
export async function registerPlan(act: Act, plan: Plan, how: Registering = {}): Promise<void> {
  const { streams, opSeq, release } = act;
  const { before } = how;
  const { pid, generation } = plan.pipeline;
  await assertLatest(streams, { pid, edges: plan.edges.map(({ name }) => name), opSeq });
  const inForce = await readPlanInForce(streams, pid);
  if (inForce !== undefined && inForce.generation > generation) throw generationUsed(plan, inForce.generation);
  await assertNoneReturnsOther(streams, plan, inForce === undefined ? before : undefined);
  if (before !== undefined && inForce === undefined) await storePlan(streams, before, release);
  await storePlan(streams, plan, release);
  if (before === undefined) for (const edge of plan.edges) await placeNewWriters(act, plan, edge);
  for (const edge of plan.edges) {
    const readers = sinksOf(plan, edge).map(({ name }) => name);
    await registerReaders(act, plan, edge, readers, how);
  }
  if (before !== undefined) for (const edge of plan.edges) await registerLeftovers(act, plan, before, edge);
  if (inForce === undefined) await announcePlan(streams, before ?? plan);
  if (before === undefined) await registerWriters(act, plan);
}

/** M5. */
async function placeNewWriters(act: Act, plan: Plan, edge: Edge): Promise<void> {
  const registry = await readRegistry(act.streams, plan.pipeline.pid, edge.name);
  if (registry === undefined) return;
  for (const stage of ingestorsOf(plan, edge))
    if (registry.sources[stage.source]?.leaving !== false) await firstFramesOf(act, plan, edge, stage, registry);
}

/** M4. */
async function registerLeftovers(act: Act, plan: Plan, before: Plan, edge: Edge): Promise<void> {
  const { streams, opSeq } = act;
  const { pid } = plan.pipeline;
  const stays = new Set(ingestorsOf(plan, edge).map(({ source }) => source));
  const slots = new Map<string, number>();
  const found = (source: string, count: number) => {
    if (!stays.has(source)) slots.set(source, Math.max(slots.get(source) ?? 0, count));
  };
  // Its pods may be running, and have yet to write under each of their subjects.
  for (const { source, slots: count } of ingestorsOf(before, edge)) found(source, count);
  for (const [source, count] of (await foundIn(streams, pid, edge.name)).slots) found(source, count);
  if (slots.size === 0) return;
  const leftovers = Object.fromEntries([...slots].map(([source, count]) => [source, { slots: count, leaving: true }]));
  await changeRegistered(streams, { pid, edge: edge.name, opSeq }, (now) => ({
    ...now,
    sources: { ...leftovers, ...now.sources },
  }));
}

/** M1. */
export async function registerReaders(
  act: Act,
  plan: Plan,
  edge: Edge,
  readers: readonly string[],
  { before, readFrom = 'end', ends }: RegisteringReaders,
): Promise<void> {
  const { streams, opSeq } = act;
  const { pid } = plan.pipeline;
  const { created, state } = await streams.streamInfo(edgeStream(pid, edge.name));
  const end = ends === undefined ? state.last_seq : (endIn(ends, edge.name, created) ?? state.first_seq - 1);
  // Of a stream that was made again, and absent in any other: an epoch like none before (`./decide.ts`).
  const commits: StreamSettings = (await streams.streamInfo(edgeStream(pid, commitsEdge))).config;
  const lasts = new Map<string, (StoredMessage | null)[]>();
  for (const name of readers) lasts.set(name, await lastCommits(streams, pid, name, edge.shards));
  const registry = await readRegistry(streams, pid, edge.name);
  for (const name of readers.filter((reader) => registry?.readers.includes(reader) !== true)) {
    const isOld = registry === undefined && before?.stages.some((stage) => stage.name === name) === true;
    const to = isOld || readFrom === 'start' ? 0 : end;
    for (const [slot, last] of (lasts.get(name) ?? []).entries()) {
      const chain = {
        edge: created,
        decided: isOld ? 0 : (commits.first_seq ?? 0),
        since: isOld ? 0 : end,
        writers: {},
      };
      const isAtWork = registry !== undefined && readFrom === 'end' && ends === undefined;
      const first = { kind: 'commit', to, set: true, registered: true, chain, ...(isAtWork ? placing : {}) } as const;
      const subject = commitSubject(pid, name, slot);
      await firstCommit(act, plan, { subject, last }, first, { isOld, isUnregistered: registry === undefined });
    }
  }
  await changeRegistry(streams, { pid, edge: edge.name, opSeq }, (now) => ({
    ...(now ?? { created, sources: {}, gone: {}, kept: {} }),
    readers: [...new Set([...(now?.readers ?? []), ...readers])],
  }));
  for (const name of readers) await placeAgain(streams, pid, edge, name);
}

const placing = { placing: true } as const;

/** M6. The end is read after the commit that it replaces: an act that slept in between replaces nothing. */
async function placeAgain(streams: JetStreamPort, pid: string, edge: Edge, name: string): Promise<void> {
  const stream = edgeStream(pid, commitsEdge);
  for (let slot = 0; slot < edge.shards;) {
    const last = await lastCommit(streams, pid, name, slot);
    const entry = last === null ? undefined : decodeCommitEntry(last.data, { stream, sequence: last.seq });
    if (last === null || entry?.kind !== 'commit' || entry.placing !== true) {
      slot++;
      continue;
    }
    const { placing: _, chain, ...rest } = entry;
    const { state } = await streams.streamInfo(edgeStream(pid, edge.name));
    const to = Math.max(entry.to, state.last_seq);
    const placed = { ...rest, to, ...(chain === undefined ? {} : { chain: { ...chain, since: to } }) };
    try {
      await streams.publish(last.subject, JSON.stringify(placed), { expectLast: last.seq });
    } catch (error) {
      // Somebody was faster: what is there now is looked at.
      if (classifyPublishFailure(error).kind !== 'wrongSequence') throw error;
    }
  }
}

/**
 * What a reader left behind that was removed is not its position when it comes back. What v0.1 has committed in an edge
 * that knows no registration is (M3).
 */
async function firstCommit(
  { streams }: Act,
  { pipeline: { pid } }: Plan,
  { subject, last }: { readonly subject: string; readonly last: StoredMessage | null },
  entry: CommitEntry,
  { isOld, isUnregistered }: { readonly isOld: boolean; readonly isUnregistered: boolean },
): Promise<void> {
  const stream = edgeStream(pid, commitsEdge);
  if (last !== null && isOld) return;
  if (
    last !== null &&
    isUnregistered &&
    decodeCommitEntry(last.data, { stream, sequence: last.seq }).chain === undefined
  )
    return;
  try {
    await streams.publish(subject, JSON.stringify(entry), { expectLast: last?.seq ?? 0 });
  } catch (error) {
    // A pod of v0.1 has committed meanwhile: that is its position.
    if (!(isOld && classifyPublishFailure(error).kind === 'wrongSequence')) throw error;
  }
}

/** Registers the sources of every edge, and lets one that was leaving stay. */
export async function registerWriters(act: Act, plan: Plan): Promise<void> {
  for (const edge of plan.edges) {
    const registry = await readRegistry(act.streams, plan.pipeline.pid, edge.name);
    for (const stage of ingestorsOf(plan, edge)) await registerSource(act, plan, edge, stage, registry);
  }
}

/** M2. */
async function registerSource(
  act: Act,
  plan: Plan,
  edge: Edge,
  stage: IngestorStage,
  registry: Registry | undefined,
): Promise<void> {
  const { streams, opSeq } = act;
  const { source, slots } = stage;
  if (registry?.sources[source]?.leaving === false) return;
  // Of one that was leaving, some subjects may have been emptied.
  await firstFramesOf(act, plan, edge, stage, registry);
  await changeRegistered(streams, { pid: plan.pipeline.pid, edge: edge.name, opSeq }, (now) => {
    const { [source]: _, ...kept } = now.kept;
    return { ...now, sources: { ...now.sources, [source]: { slots, leaving: false } }, kept };
  });
}

/**
 * Gives every writer a first frame in an edge whose stream was made again: those of the plan, and those that are leaving, under
 * the newest plan that has them.
 */
export async function firstFrames(act: Act, plan: Plan, edgeName: string): Promise<void> {
  const { streams } = act;
  const { pid } = plan.pipeline;
  const plans = (await storedPlans(streams, pid)).sort((a, b) => b.pipeline.generation - a.pipeline.generation);
  for (const edge of plan.edges.filter(({ name }) => name === edgeName)) {
    const stages = ingestorsOf(plan, edge);
    const registry = await readRegistry(streams, pid, edgeName);
    for (const stage of stages) await firstFramesOf(act, plan, edge, stage, registry);
    const registered = Object.entries(registry?.sources ?? {});
    for (const [source, { slots }] of registered.filter(([name]) => !stages.some((one) => one.source === name))) {
      const has = plans.find((one) => ingestorsOf(one, edge).some((stage) => stage.source === source));
      await firstFramesOf(act, has ?? plan, edge, { source, slots }, registry);
    }
  }
}

/** Each writer that has no frame gets one without records, and each stands where it stood (M2). */
async function firstFramesOf(
  act: Act,
  plan: Plan,
  edge: Edge,
  { source, slots }: Pick<IngestorStage, 'source' | 'slots'>,
  registry: Registry | undefined,
): Promise<void> {
  const kept = registry?.kept[source]?.slots ?? [];
  for (const [slot, place] of writersOfSource(plan, edge, source, slots).entries()) {
    const stood = kept[slot];
    const last = await act.streams.getMessage(place.stream, { last_by_subj: place.subject });
    if (last !== null) {
      await standAgain(act, { plan, edge, source, slot }, place, last);
    } else if (stood?.stood !== 'nowhere') {
      const position = stood?.stood === 'at' ? stood.position : undefined;
      await appendEmpty(act, place, { expectLast: 0, position, link: { ...unlinked, plan: plan.pipeline.generation } });
    }
  }
}

/**
 * The frame that is there may be of an act that slept while the source came back, and left once more. It counts when it has
 * the position that is kept now, after the frame was read; who has registered the source meanwhile has moved it. And it may
 * be one that goes: of a source that was being taken off when it came back, and the purge may come late. So whatever the
 * source had when it left is followed by another, which stays.
 */
async function standAgain(
  act: Act,
  {
    plan,
    edge,
    source,
    slot,
  }: { readonly plan: Plan; readonly edge: Edge; readonly source: string; readonly slot: number },
  place: WriterPlace,
  last: StoredMessage,
): Promise<void> {
  const registry = await readRegistry(act.streams, plan.pipeline.pid, edge.name);
  const stood = registry?.kept[source]?.slots[slot];
  const isGoing = last.seq <= (registry?.gone[source] ?? 0);
  if (stood?.stood !== 'at' && !isGoing) return;
  const frame = decodeFrame(last.data, { stream: place.stream, sequence: last.seq });
  const position = stood?.stood === 'at' ? stood.position : frame.position;
  if (!isGoing && isDeepStrictEqual(frame.position, position)) return;
  await appendEmpty(act, place, { expectLast: last.seq, position, link: linkTo(last.seq, frame) });
}
