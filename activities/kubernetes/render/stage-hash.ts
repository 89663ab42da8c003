/**
 * The hash of the configuration of a stage's pods: equal hash, no new pods.
 *
 * H1  Replicas, the generation and other stages' settings are not in it: scaling or editing a sink leaves the rest
 *     alone.
 * H2  What a stage must know of others is in it: its edge. Which stages read the edge that it writes, it asks NATS
 *     (E10).
 */
import { hashOf } from '../../../model/json.ts';
import type { Plan, Stage } from '../../../model/plan.ts';

export function stageHash(plan: Plan, stage: Stage): string {
  const { name, namespace, uid, pid } = plan.pipeline;
  const { replicas: _, ...told } = stage;
  const edgeName = stage.kind === 'ingestor' ? stage.writes : stage.reads;
  const content = {
    planVersion: plan.planVersion,
    pipeline: { name, namespace, uid, pid },
    stage: told,
    edge: plan.edges.find((edge) => edge.name === edgeName),
    deadLetters: plan.deadLetters,
  };
  return hashOf(content).slice(0, 16);
}
