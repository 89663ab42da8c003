/**
 * Registers a source of an edge: first a frame of each of its writers, then its entry in the registry.
 *
 * M2  A writer's first frame, without records, is stored before its source is registered. So the subjects of a registered
 *     source are never empty, and an owner that was frozen before its first frame cannot append when it wakes up (E4).
 *     The frame has no position, or the one that was kept when the source left (`./kept-position.ts`).
 * M7  What a source writes once it has come back is not what it had written when it left, also where the edge has gone back
 *     meanwhile and gives the same numbers. A loss of it was once taken for that departure, and nobody was asked.
 */
import { isDeepStrictEqual } from 'node:util';
import { ingestorsOf, type Edge, type IngestorStage, type Plan } from '../model/plan.ts';
import type { Act } from './act.ts';
import { linkTo } from './edge-writer.ts';
import { appendEmpty } from './empty-frame.ts';
import { decodeFrame } from './frame-reader.ts';
import { unlinked } from './frame.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';
import { storedPlans } from './plan-store.ts';
import { changeRegistered, readRegistry, type Registry } from './registry.ts';
import { writersOfSource, type WriterPlace } from './writer-place.ts';
import { lostBehind } from './writer-tail.ts';

/** Registers the sources of every edge; a source that was leaving stays. */
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
  // Some subjects of a source that was leaving may have been emptied.
  await firstFramesOf(act, plan, edge, stage, registry);
  // Its frames are large: they are read only where it had left.
  const hadLeft = registry?.gone[source] !== undefined;
  const begins = hadLeft ? Math.min(...(await lastOfSlots(streams, plan, edge, stage))) : Infinity;
  await changeRegistered(streams, { pid: plan.pipeline.pid, edge: edge.name, opSeq }, (now) => {
    const { [source]: _, ...kept } = now.kept;
    const { [source]: left, ...gone } = now.gone;
    return {
      ...now,
      sources: { ...now.sources, [source]: { slots, leaving: false } },
      gone: left === undefined ? gone : { ...gone, [source]: Math.min(left, begins - 1) },
      kept,
    };
  });
}

/** M7. */
async function lastOfSlots(
  streams: JetStreamPort,
  plan: Plan,
  edge: Edge,
  { source, slots }: Pick<IngestorStage, 'source' | 'slots'>,
): Promise<number[]> {
  const lasts: number[] = [];
  for (const { stream, subject } of writersOfSource(plan, edge, source, slots))
    lasts.push((await streams.getMessage(stream, { last_by_subj: subject }))?.seq ?? Infinity);
  return lasts;
}

/**
 * Gives every writer a first frame in a recreated edge: the writers of the plan, and those of leaving sources, under the
 * newest plan that has them.
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

/** Each writer without a frame gets one without records; each has the position that was kept for it (M2). */
export async function firstFramesOf(
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
    } else if (stood?.stood !== 'nowhere' && !(await hasLostAll(act.streams, place, registry, source))) {
      const position = stood?.stood === 'at' ? stood.position : undefined;
      await appendEmpty(act, place, { expectLast: 0, position, link: { ...unlinked, plan: plan.pipeline.generation } });
    }
  }
}

/**
 * Whether a source that is registered, leaving or not, has lost all frames of a slot, of which a reader had taken some: its position
 * went with them, so the writer asks. Seed 22000850: put back while it left, it was read again from its beginning.
 */
async function hasLostAll(
  streams: JetStreamPort,
  { pid, stream, shard, writer }: WriterPlace,
  registry: Registry | undefined,
  source: string,
): Promise<boolean> {
  if (registry?.sources[source] === undefined || registry.kept[source] !== undefined) return false;
  const { created } = await streams.streamInfo(stream);
  return (await lostBehind(streams, { pid, shard, created }, { writer, sequence: 0, check: 0 })) !== undefined;
}

/**
 * The subject has a frame already. It may come from an act that was frozen while the source came back and left once more:
 * it counts if it has the position that is kept now, read after the frame (whoever registered the source meanwhile has
 * removed that). Or it may be about to be purged, if the source came back while it was leaving: so a frame that the
 * source had when it left is followed by another one, which stays.
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
