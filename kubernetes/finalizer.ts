/**
 * The finalizer of a pipeline: added before anything is started, removed by the last step of teardown.
 *
 * Both are merge patches of the whole list with the resourceVersion that was read: a concurrent change is a conflict,
 * and the list is read again. So no other finalizer is ever lost.
 */
import type { PipelineRef } from '../model/lifecycle.ts';
import { finalizer, kind } from '../model/names.ts';
import { untilNoConflict } from './conflicts.ts';
import type { Kube } from './kube.ts';
import type { KubeObject } from './objects.ts';

/** The resource with the finalizer; undefined when it is gone, or another resource has its name. */
export function addFinalizer(kube: Kube, ref: PipelineRef, fieldManager: string): Promise<KubeObject | undefined> {
  return setFinalizers(kube, ref, fieldManager, (before) =>
    before.includes(finalizer) ? before : [...before, finalizer],
  );
}

export async function removeFinalizer(kube: Kube, ref: PipelineRef, fieldManager: string): Promise<void> {
  await setFinalizers(kube, ref, fieldManager, (before) => before.filter((each) => each !== finalizer));
}

function setFinalizers(
  kube: Kube,
  { namespace, name, uid }: PipelineRef,
  fieldManager: string,
  change: (before: readonly string[]) => readonly string[],
): Promise<KubeObject | undefined> {
  return untilNoConflict(async () => {
    const live = await kube.get(kind, name, namespace);
    if (live?.metadata.uid !== uid) return undefined;
    const { finalizers: before = [], resourceVersion } = live.metadata;
    const finalizers = change(before);
    if (finalizers.length === before.length) return live;
    return kube.patchMerge(kind, name, namespace, { metadata: { uid, resourceVersion, finalizers } }, { fieldManager });
  });
}
