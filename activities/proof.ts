/**
 * Whether a pipeline's resource is there: what everything that cannot be undone hangs on.
 *
 * P1  A read with the pipeline's uid proves that it is there.
 * P2  That it is gone is believed of the API server only when it says so of this very object (`kubernetes/verdicts.ts`),
 *     or shows another uid under the name; and only of the cluster that the pipeline is in.
 * P3  What cannot be undone is done only when the resource is being deleted, or proven to be gone; each such activity
 *     looks for itself, however short the time since somebody else has looked.
 */
import { clusterOf } from '../kubernetes/cluster.ts';
import type { Kube } from '../kubernetes/kube.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { mr } from '../model/errors.ts';
import type { PipelineRef } from '../model/lifecycle.ts';
import { kind } from '../model/names.ts';

/** The resource with this uid; undefined: proven to be gone (P2). */
export async function findResource(kube: Kube, pipeline: PipelineRef): Promise<KubeObject | undefined> {
  const resource = await kube.get(kind, pipeline.name, pipeline.namespace);
  if (resource?.metadata.uid === pipeline.uid) return resource;
  const { namespace, name, cluster: wanted } = pipeline;
  const found = await clusterOf(kube);
  if (wanted === undefined) throw mr('MR_CLUSTER_UNKNOWN', { namespace, name, found });
  if (wanted !== found) throw mr('MR_CLUSTER_FOREIGN', { namespace, name, wanted, found });
  return undefined;
}

/** The resource with this uid. Throws MR_PIPELINE_REPLACED when it is proven to be gone. */
export async function readResource(kube: Kube, pipeline: PipelineRef): Promise<KubeObject> {
  const resource = await findResource(kube, pipeline);
  if (resource === undefined) {
    const { namespace, name, uid } = pipeline;
    throw mr('MR_PIPELINE_REPLACED', { namespace, name, uid });
  }
  return resource;
}

export function isBeingDeleted({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp != null;
}

/** P3. Throws MR_PIPELINE_NOT_DELETED. */
export async function assertMayTakeDown(kube: Kube, pipeline: PipelineRef): Promise<void> {
  const resource = await findResource(kube, pipeline);
  if (resource === undefined || isBeingDeleted(resource)) return;
  const { namespace, name } = pipeline;
  throw mr('MR_PIPELINE_NOT_DELETED', { namespace, name });
}
