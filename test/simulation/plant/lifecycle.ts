/** What the lifecycle does to streams and pods of the model. */
import { ensurePipelineStreams, ensureSharedStreams } from '../../../stream/streams.ts';
import { Machine } from '../kernel/machine.ts';
import type { Plant } from './plant.ts';

/** A step whose process died is begun again by another, as Temporal has it. */
const missedAfterMs = 10_000;

export function provision(plant: Plant, machine: Machine): void {
  let isDone = false;
  machine.onDeath(() => {
    if (!isDone) machine.world.after(missedAfterMs, () => provision(plant, new Machine('lifecycle', machine.world)));
  });
  const { port } = plant.connect(machine);
  const { copies, first } = plant.scenario;
  const plan = plant.plans.get(first.generation)!;
  const attempt = async (): Promise<void> => {
    try {
      await ensureSharedStreams(port, { replicas: copies });
      await ensurePipelineStreams(port, plan, { replicas: copies });
    } catch {
      await machine.clock.sleep(500);
      return attempt();
    }
    isDone = true;
    for (const stage of plan.stages) plant.cluster.apply(stage.name, plan, stage.replicas);
  };
  machine.after(0, () => void attempt());
}
