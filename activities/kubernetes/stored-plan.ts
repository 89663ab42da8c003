/**
 * Plans as they are stored: one immutable ConfigMap per generation. The later steps of an operation read what its first
 * step wrote, so that they agree even when the resource changes meanwhile.
 */
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import type { PlanRef } from '../../model/lifecycle.ts';
import { labels } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { planSchema } from '../../stream/plan-store.ts';
import { namesIn, ownerLabels } from './render/context.ts';
import { planKey } from './render/plan.ts';

const dataSchema = z.record(z.string(), z.string());

export type PlanPlace = Pick<PlanRef, 'workloadNamespace' | 'isolation'> & {
  readonly op: Pick<PlanRef['op'], 'pipeline'>;
};

/** The plan of the operation's generation. */
export async function readPlan(kube: Kube, ref: PlanRef): Promise<Plan> {
  const name = namesIn(ref.isolation, ref.op.pipeline.name).plan(ref.generation);
  const stored = await kube.get('ConfigMap', name, ref.workloadNamespace);
  if (stored === undefined) {
    throw mr('MR_OBJECT_VANISHED', { object: `ConfigMap ${ref.workloadNamespace}/${name}` });
  }
  return planOf(stored);
}

/** The newest plan that was ever applied; undefined when there is none. */
export async function latestPlan(kube: Kube, place: PlanPlace): Promise<Plan | undefined> {
  const plans = await keptPlans(kube, place);
  return plans.reduce<Plan | undefined>((newest, plan) => (isNewer(plan, newest) ? plan : newest), undefined);
}

/** Every plan that the cluster keeps. */
export async function keptPlans(kube: Kube, place: PlanPlace): Promise<Plan[]> {
  return (await planConfigMaps(kube, place)).map(planOf);
}

/** The plan of the existing pods: the newest older one, or this one when it was applied before. */
export async function planBefore(kube: Kube, place: PlanPlace, plan: Plan): Promise<Plan> {
  const plans = await keptPlans(kube, place);
  const older = plans.filter(({ pipeline }) => pipeline.generation < plan.pipeline.generation);
  return older.reduce<Plan | undefined>((newest, one) => (isNewer(one, newest) ? one : newest), undefined) ?? plan;
}

function isNewer(plan: Plan, than: Plan | undefined): boolean {
  return than === undefined || plan.pipeline.generation > than.pipeline.generation;
}

export async function planConfigMaps(kube: Kube, place: PlanPlace): Promise<KubeObject[]> {
  const { uid } = place.op.pipeline;
  const found = await kube.list('ConfigMap', { namespace: place.workloadNamespace, labels: ownerLabels(uid) });
  return found.items.filter(
    (item) => item.metadata.labels?.[labels.stage] === undefined && planText(item) !== undefined,
  );
}

function planOf(stored: KubeObject): Plan {
  return planSchema.parse(JSON.parse(planText(stored) ?? 'null'));
}

export function planText(stored: KubeObject): string | undefined {
  const data = dataSchema.safeParse(stored['data']);
  return data.success ? data.data[planKey] : undefined;
}
