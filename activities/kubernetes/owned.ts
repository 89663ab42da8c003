/** What the lifecycle creates for a pipeline and removes again, in a namespace of its own or beside the resource. */
import type { Kube } from '../../kubernetes/kube.ts';
import type { KindName, KubeObject } from '../../kubernetes/objects.ts';
import type { PlanRef } from '../../model/lifecycle.ts';
import { labels, namespaceOf, pidOf } from '../../model/names.ts';
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

/** Where Millrace keeps to some namespaces it may not look for others, but for the one whose name it knows. */
export async function ownNamespaces(kube: Kube, { op }: Pick<PlanRef, 'op'>): Promise<readonly KubeObject[]> {
  const { name, uid } = op.pipeline;
  if (kube.transport.onlyIn !== undefined) {
    const own = await kube.get('Namespace', namespaceOf(pidOf(name, uid)));
    return own !== undefined && belongsTo(own, uid) ? [own] : [];
  }
  return (await kube.list('Namespace', { labels: ownerLabels(uid) })).items;
}

/** Whether Millrace made it for the pipeline with this uid. */
export function belongsTo({ metadata }: Pick<KubeObject, 'metadata'>, uid: string): boolean {
  return metadata.labels?.[labels.pipelineUid] === uid;
}
