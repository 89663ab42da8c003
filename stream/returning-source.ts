/**
 * Checks a source that comes back under the name of an earlier one.
 *
 * Q1  Positions belong to the connector that gave them, and subjects to a number of slots. While a source is registered,
 *     leaving or not, another one of the same name with other slots or another connector is refused: it would continue
 *     from positions of a different system, and frames of slots that no longer exist would belong to nobody.
 * Q2  v0.1 did not record the writers. The connector of a source that v0.1 left behind is unknown, so no source of that
 *     name may come back before its frames are removed.
 * Q3  A source that has left continues where it stood (`./kept-position.ts`), so Q1 holds for it, too.
 *
 * The API refuses a spec that changes them in one edit; two edits, the first of which removes the source, arrive here.
 */
import { mr } from '../model/errors.ts';
import { ingestorsOf, type Edge, type IngestorStage, type Plan } from '../model/plan.ts';
import { foundIn } from './found-in-edge.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { storedPlans } from './plan-store.ts';
import { isBound } from './kept-position.ts';
import { readRegistry } from './registry.ts';

/**
 * Q1–Q3. Throws MR_SOURCE_NOT_GONE or MR_SOURCE_RETURNS_OTHER. `before`: the plan of v0.1, while its edges are being
 * taken over.
 */
export async function assertNoneReturnsOther(streams: JetStreamPort, plan: Plan, before?: Plan): Promise<void> {
  const { pid, generation } = plan.pipeline;
  const plans = (await storedPlans(streams, pid)).filter(({ pipeline }) => pipeline.generation < generation);
  for (const edge of plan.edges) {
    const there =
      before === undefined ? await registeredIn(streams, pid, edge, plans) : await leftByV1(streams, pid, edge, before);
    for (const { source, slots, connector } of ingestorsOf(plan, edge)) {
      const one = there.get(source);
      if (one === undefined) {
        await assertAsItWas(streams, pid, edge, { source, slots, connector });
        continue;
      }
      // Registered by an earlier attempt with this very plan.
      const was = one.connector ?? (one.isLeaving ? undefined : connector);
      if (one.slots === slots && was === connector) continue;
      const had = { before: was ?? 'unknown', had: one.slots };
      throw mr('MR_SOURCE_NOT_GONE', { source, edge: edge.name, slots, connector, ...had });
    }
  }
}

/** Q3. */
async function assertAsItWas(
  streams: JetStreamPort,
  pid: string,
  edge: Edge,
  { source, slots, connector }: Pick<IngestorStage, 'source' | 'slots' | 'connector'>,
): Promise<void> {
  const kept = (await readRegistry(streams, pid, edge.name))?.kept[source];
  if (kept === undefined || !isBound(kept)) return;
  const had = kept.slots.length;
  if (kept.connector === connector && had === slots) return;
  throw mr('MR_SOURCE_RETURNS_OTHER', { source, slots, connector, before: kept.connector, had });
}

/**
 * The same check for a plan that is not stored yet, as far as possible: what v0.1 left behind is found at registration.
 */
export async function assertTakesBack(streams: JetStreamPort, plan: Plan): Promise<void> {
  const { pid, generation } = plan.pipeline;
  const isStored = (await storedPlans(streams, pid)).some(({ pipeline }) => pipeline.generation === generation);
  if (!isStored) await assertNoneReturnsOther(streams, plan);
}

interface There {
  readonly slots: number;
  readonly isLeaving: boolean;
  /** Undefined: unknown. */
  readonly connector: string | undefined;
}

async function registeredIn(
  streams: JetStreamPort,
  pid: string,
  edge: Edge,
  plans: readonly Plan[],
): Promise<Map<string, There>> {
  const registered = Object.entries((await readRegistry(streams, pid, edge.name))?.sources ?? {});
  return new Map(
    registered.map(([source, { slots, leaving }]) => {
      return [source, { slots, isLeaving: leaving, connector: connectorOf(plans, source) }];
    }),
  );
}

/** Q2. Sources that v0.1 was running at the upgrade, and those whose frames it left behind. */
async function leftByV1(streams: JetStreamPort, pid: string, edge: Edge, before: Plan): Promise<Map<string, There>> {
  const there = new Map<string, There>();
  for (const [source, slots] of (await foundIn(streams, pid, edge.name)).slots) {
    there.set(source, { slots, isLeaving: true, connector: undefined });
  }
  for (const { source, slots, connector } of ingestorsOf(before, edge)) {
    there.set(source, { slots, isLeaving: false, connector });
  }
  return there;
}

/** From the newest plan that has the source. */
export function connectorOf(plans: readonly Plan[], source: string): string | undefined {
  return plans
    .toSorted((a, b) => b.pipeline.generation - a.pipeline.generation)
    .flatMap(({ stages }) => stages)
    .find((stage): stage is IngestorStage => stage.kind === 'ingestor' && stage.source === source)?.connector;
}
