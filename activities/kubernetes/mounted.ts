/** What the workloads of a pipeline mount, whatever any plan says. */
import { z } from 'zod';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { ownerLabels } from './render/context.ts';
import { credentialsVolumeName, planVolume } from './render/deployment.ts';
import type { PlanPlace } from './stored-plan.ts';

const volumeSchema = z.looseObject({
  name: z.string(),
  configMap: z.looseObject({ name: z.string().optional() }).optional(),
  secret: z.looseObject({ items: z.array(z.looseObject({ key: z.string() })).default([]) }).optional(),
});

const workloadSchema = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({ spec: z.looseObject({ volumes: z.array(volumeSchema).default([]) }) }),
  }),
});

type Place = Pick<PlanPlace, 'op' | 'workloadNamespace'>;

/** The ConfigMaps with plans that pods are started with. */
export async function plansInUse(kube: Pick<Kube, 'list'>, place: Place): Promise<Set<string>> {
  return new Set((await workloads(kube, place)).flatMap((item) => planNameOf(item) ?? []));
}

/** Keys of the pipeline's own Secret that pods are started with. */
export async function credentialsInUse(kube: Pick<Kube, 'list'>, place: Place): Promise<Set<string>> {
  const volumes = (await workloads(kube, place)).flatMap(volumesOf);
  const own = volumes.filter(({ name }) => name === credentialsVolumeName);
  return new Set(own.flatMap(({ secret }) => secret?.items ?? []).map(({ key }) => key));
}

export function planNameOf(workload: KubeObject): string | undefined {
  return volumesOf(workload).find(({ name }) => name === planVolume)?.configMap?.name;
}

async function workloads(
  kube: Pick<Kube, 'list'>,
  { op, workloadNamespace: namespace }: Place,
): Promise<readonly KubeObject[]> {
  return (await kube.list('Deployment', { namespace, labels: ownerLabels(op.pipeline.uid) })).items;
}

function volumesOf(workload: KubeObject) {
  return workloadSchema.parse(workload).spec.template.spec.volumes;
}
