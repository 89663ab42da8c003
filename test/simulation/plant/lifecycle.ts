/** What the lifecycle does to streams and pods of the model. */
import { ensurePipelineStreams, ensureSharedStreams } from '../../../stream/streams.ts';
import type { Machine } from '../kernel/machine.ts';
import type { Plant } from './plant.ts';

export function provision(plant: Plant, machine: Machine): void {
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
    for (const stage of plan.stages) plant.cluster.apply(stage.name, plan, stage.replicas);
  };
  machine.after(0, () => void attempt());
}
