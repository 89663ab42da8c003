/**
 * Whether a pipeline's resource exists: every irreversible step depends on that.
 *
 * P1  A read that returns the pipeline's uid proves that it exists.
 * P2  That it is gone is believed only if the API server says so about this object (`kubernetes/verdicts.ts`), or
 *     returns another uid under the name; and only of the API server of the pipeline's own cluster.
 * P3  An irreversible step is done only when the resource is being deleted, or proven to be gone; each such activity
 *     checks this itself, however recently it was checked elsewhere.
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
