/**
 * Writes an owned object on behalf of an operation.
 *
 * F1  An object that a newer operation has written is left alone: MR_OPERATION_FENCED.
 * F2  An object that belongs to another pipeline, or to nobody, is never taken over.
 * F3  What was checked is what is written: the resourceVersion goes along, and a conflict starts over.
 */
import { mr } from '../../model/errors.ts';
import { annotations, fieldManagers, labels } from '../../model/names.ts';
import { KubeError } from '../../kubernetes/kube-error.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KindName, KubeObject, Manifest } from '../../kubernetes/objects.ts';

export interface Fence {
  readonly uid: string;
  readonly seq: number;
}

const attempts = 8;

export async function applyFenced(kube: Kube, manifest: Manifest, fence: Fence): Promise<KubeObject> {
  const { name, namespace } = manifest.metadata;
  return untilNoConflict(async () => {
    const live = await kube.get(manifest.kind, name, namespace);
    if (live !== undefined) checkFence(manifest.kind, live, fence);
    const resourceVersion = live?.metadata.resourceVersion;
    const metadata = { ...manifest.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    return kube.apply({ ...manifest, metadata }, { fieldManager: fieldManagers.lifecycle, force: true });
  });
}

/** Throws when `live` is not this operation's to write (F1, F2). */
export function checkFence(kind: KindName, live: KubeObject, { uid, seq }: Fence): void {
  const object = `${kind} ${live.metadata.namespace ?? ''}/${live.metadata.name}`;
  const owner = live.metadata.labels?.[labels.pipelineUid];
  if (owner !== uid) {
    const problem = `it belongs to ${owner === undefined ? 'no pipeline' : `the pipeline with uid ${owner}`}`;
    throw mr('MR_KUBERNETES_REFUSED', { object, problem });
  }
  const writtenBy = Number(live.metadata.annotations?.[annotations.opSeq] ?? 0);
  if (writtenBy > seq) throw mr('MR_OPERATION_FENCED', { object, seq, newer: writtenBy });
}

/** Others (controllers that write statuses) change objects all the time; a few turns settle that. */
export async function untilNoConflict<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write();
    } catch (error) {
      const again = error instanceof KubeError && error.isConflict && attempt < attempts;
      if (!again || error.failure.causes.includes('FieldManagerConflict')) throw error;
    }
  }
}
