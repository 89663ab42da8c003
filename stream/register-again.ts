/**
 * Registers the participants of a pipeline's edges again after its commits were lost, which held all registrations. A
 * lifecycle act; it may be repeated after an interruption anywhere.
 *
 * R1  A reader starts where the edge ended when that was decided (`./edge-ends.ts`), or at its beginning.
 * R2  Participants that were leaving are registered as leaving (`./retire.ts`): stages that the cluster has and the
 *     plan does not, and sources that are not in the plan but have frames in the edge. Otherwise frames would be
 *     swept before the leaving stages have read them, and those of a leaving source never.
 * R3  The plans that frames name are stored again, as far as they are known, and the one that writers name is in force.
 */
import { ingestorsOf, sinksOf, type Edge, type Plan } from '../model/plan.ts';
import type { EdgeEnds } from './edge-ends.ts';
import { foundIn, type FoundInEdge } from './found-in-edge.ts';
import type { Act } from './act.ts';
import { registerReaders } from './register-readers.ts';
import { registerWriters } from './register-writers.ts';
import { announcePlan, storePlan } from './plan-store.ts';
import { assertLatest, changeRegistered } from './registry.ts';

/** What is known of the pipeline without its commits. */
export interface Remembered {
  /** Older plans that are stored elsewhere. Default: none. */
  readonly earlier?: readonly Plan[];
  /** Whether the cluster has the stage. Default: every stage of an older plan. */
  readonly isLive?: (stage: string) => boolean;
}

export interface RegisteringAgain extends Remembered {
  readonly readFrom: 'start' | 'end';
  readonly ends: EdgeEnds;
}

export async function registerAgain(act: Act, plan: Plan, how: RegisteringAgain): Promise<void> {
  const { streams, opSeq, release } = act;
  const { pid, generation } = plan.pipeline;
  const { readFrom, ends, isLive = () => true } = how;
  const earlier = (how.earlier ?? []).filter(({ pipeline }) => pipeline.generation < generation);
  const plans = [...earlier, plan].sort((a, b) => a.pipeline.generation - b.pipeline.generation);
  await assertLatest(streams, { pid, edges: plan.edges.map(({ name }) => name), opSeq });
  for (const one of plans) await storePlan(streams, one, release);
  const named = new Set<number>();
  for (const edge of plan.edges) {
    const stays = sinksOf(plan, edge).map(({ name }) => name);
    const leaving = earlier.flatMap((one) => sinksOf(one, edge)).filter(({ name }) => isLive(name));
    await registerReaders(act, plan, edge, [...new Set([...stays, ...leaving.map(({ name }) => name)])], {
      readFrom,
      ends,
    });
    const found = await foundIn(streams, pid, edge.name);
    for (const one of found.plans) named.add(one);
    await registerLeft(act, plan, edge, { slots: found.slots, earlier, isLive });
  }
  const newest = Math.max(0, ...named);
  const inForce = plans.find(({ pipeline }) => pipeline.generation === newest) ?? plan;
  await announcePlan(streams, inForce, plans[0]?.pipeline.generation);
  await registerWriters(act, plan);
}

/** R2. One whose pods may be running is registered as it was; the operation that stops them marks it as leaving. */
async function registerLeft(
  { streams, opSeq }: Act,
  plan: Plan,
  edge: Edge,
  { slots, earlier, isLive }: Pick<FoundInEdge, 'slots'> & Required<Pick<Remembered, 'earlier' | 'isLive'>>,
): Promise<void> {
  const stays = new Set(ingestorsOf(plan, edge).map(({ source }) => source));
  const sources = [...slots].filter(([source]) => !stays.has(source));
  if (sources.length === 0) return;
  const stages = earlier.toReversed().flatMap((one) => ingestorsOf(one, edge));
  const left = sources.map(([source, count]) => {
    const stage = stages.find((one) => one.source === source);
    const has = { slots: stage?.slots ?? count, leaving: stage === undefined || !isLive(stage.name) };
    return [source, has] as const;
  });
  await changeRegistered(streams, { pid: plan.pipeline.pid, edge: edge.name, opSeq }, (now) => ({
    ...now,
    sources: { ...Object.fromEntries(left), ...now.sources },
  }));
}
