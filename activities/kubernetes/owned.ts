/** What the lifecycle creates for a pipeline and removes again, in a namespace of its own or beside the resource. */
import type { Kube } from '../../kubernetes/kube.ts';
import type { KindName, KubeObject } from '../../kubernetes/objects.ts';
import type { PlanRef } from '../../model/lifecycle.ts';
import { ownerLabels } from './render/context.ts';

/** Deployments first: the objects around their pods may be removed once the pods are told to stop. */
export const ownedKinds: readonly KindName[] = [
  'Deployment',
  'PodDisruptionBudget',
  'Service',
  'NetworkPolicy',
  'ConfigMap',
  'Secret',
  'ServiceAccount',
];

export async function ownNamespaces(kube: Kube, { op }: Pick<PlanRef, 'op'>): Promise<KubeObject[]> {
  return (await kube.list('Namespace', { labels: ownerLabels(op.pipeline.uid) })).items;
}
