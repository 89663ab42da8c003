/**
 * A source that comes back under its name before what it was has left the edge.
 *
 * Q1  Positions belong to the connector that gave them, and subjects to a number of slots. While a source is registered,
 *     leaving or not, one of its name with other slots or another connector is refused: it would go on from positions
 *     that are not its own, and the frames of the slots that it has no more would be nobody's.
 *
 * A spec that changes them in one edit is refused by the API; two edits, the first of which takes the source away, come
 * here when no operation has taken it off between them.
 */
import { mr } from '../model/errors.ts';
import type { IngestorStage, Plan } from '../model/plan.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { storedPlans } from './plan-store.ts';
import { readRegistry } from './registry.ts';

/** Q1. Throws MR_SOURCE_NOT_GONE. */
export async function assertNoneReturnsOther(streams: JetStreamPort, plan: Plan): Promise<void> {
  const { pid, generation } = plan.pipeline;
  const plans = (await storedPlans(streams, pid)).filter(({ pipeline }) => pipeline.generation < generation);
  for (const edge of plan.edges) {
    const registry = await readRegistry(streams, pid, edge.name);
    for (const stage of plan.stages) {
      if (stage.kind !== 'ingestor' || stage.writes !== edge.name) continue;
      const registered = registry?.sources[stage.source];
      if (registered === undefined) continue;
      const { source, slots, connector } = stage;
      const before = connectorOf(plans, source) ?? connector;
      if (registered.slots === slots && before === connector) continue;
      throw mr('MR_SOURCE_NOT_GONE', { source, edge: edge.name, slots, connector, before, had: registered.slots });
    }
  }
}

/** As the newest plan has it that has the source. */
function connectorOf(plans: readonly Plan[], source: string): string | undefined {
  return plans
    .toSorted((a, b) => b.pipeline.generation - a.pipeline.generation)
    .flatMap(({ stages }) => stages)
    .find((stage): stage is IngestorStage => stage.kind === 'ingestor' && stage.source === source)?.connector;
}
