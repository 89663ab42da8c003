/**
 * The hash of what a stage's pods are told: equal hash, no new pods.
 *
 * H1  Replicas, the generation and other stages' settings are not in it: scaling or editing a sink leaves the rest alone.
 * H2  What a stage must know of others is in it: its edge, and who reads the edge that it writes.
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
    readers: stage.kind === 'ingestor' ? readersOf(plan, edgeName) : [],
    deadLetters: plan.deadLetters,
  };
  return hashOf(content).slice(0, 16);
}

function readersOf(plan: Plan, edge: string): readonly { name: string; slots: number }[] {
  return plan.stages.flatMap((stage) =>
    stage.kind === 'sink' && stage.reads === edge ? [{ name: stage.name, slots: stage.slots }] : [],
  );
}
