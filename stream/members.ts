/**
 * Registers the readers and writers of a plan's edges (E10). The lifecycle does this before pods start, and may repeat it
 * after an interruption anywhere. Readers: `./register-readers.ts` (M1, M6); writers: `./register-writers.ts` (M2).
 *
 * M3  An edge of v0.1 has no registry: its stages keep their commits, and those without a commit start at the beginning.
 *     No plan is in force until everything is registered, so that a repeated attempt still knows that it meets v0.1.
 * M4  Sources that v0.1 removed without a trace, or that the first edit after the upgrade removes, leave like any other
 *     (`./retire.ts`).
 * M5  In an edge in use, the first frames of new writers are appended before new readers are registered: such a frame may
 *     have to wait for a store that is full, and a registered reader that does not run yet would keep what it holds.
 */
import { ingestorsOf, sinksOf, type Edge, type Plan } from '../model/plan.ts';
import type { Act } from './act.ts';
import { foundIn } from './found-in-edge.ts';
import { announcePlan, generationUsed, readPlanInForce, storePlan } from './plan-store.ts';
import { registerReaders, type Registering } from './register-readers.ts';
import { firstFramesOf, registerWriters } from './register-writers.ts';
import { assertLatest, changeRegistered, readRegistry } from './registry.ts';
import { assertNoneReturnsOther } from './returning-source.ts';

/**
 * Stores the plan and registers who takes part in it. Throws, before it has changed anything, MR_SOURCE_NOT_GONE
 * or MR_SOURCE_RETURNS_OTHER (`./returning-source.ts`) and MR_GENERATION_USED (`./plan-store.ts`).
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
  // Its pods may still be running, and write under subjects that are empty so far.
  for (const { source, slots: count } of ingestorsOf(before, edge)) found(source, count);
  for (const [source, count] of (await foundIn(streams, pid, edge.name)).slots) found(source, count);
  if (slots.size === 0) return;
  const leftovers = Object.fromEntries([...slots].map(([source, count]) => [source, { slots: count, leaving: true }]));
  await changeRegistered(streams, { pid, edge: edge.name, opSeq }, (now) => ({
    ...now,
    sources: { ...leftovers, ...now.sources },
  }));
}
