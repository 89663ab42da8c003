/**
 * Writes and deletes owned objects on behalf of an operation.
 *
 * F1  An object that a newer operation has written is left alone: MR_OPERATION_FENCED.
 * F2  An object that belongs to another pipeline, or to nobody, is never taken over; the step waits
 *     (MR_OBJECT_FOREIGN).
 * F3  A write applies to the object that was checked: uid and resourceVersion are sent along, and a conflict starts
 *     over.
 * F4  A missing object is created only while the pipeline exists and no newer operation has started: an apply with the
 *     resourceVersion of an object that was deleted meanwhile would recreate it, and nobody would own it.
 * F5  An object that is being deleted is not written: what it says would go with it. It is waited for, by the name of what
 *     keeps it (MR_OBJECT_HELD).
 */
import { untilNoConflict } from '../../kubernetes/conflicts.ts';
import { heldText } from '../../kubernetes/held.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KindName, KubeObject, Manifest } from '../../kubernetes/objects.ts';
import { mr, type MillraceError } from '../../model/errors.ts';
import type { OperationRef } from '../../model/lifecycle.ts';
import { annotations, fieldManagers, labels } from '../../model/names.ts';
import { isBeingDeleted, readResource } from '../proof.ts';
import { ownStatus } from '../status/merge.ts';

/** Who writes. */
export type Writer = Pick<OperationRef, 'pipeline' | 'seq'>;

export async function applyFenced(kube: Kube, manifest: Manifest, writer: Writer): Promise<KubeObject> {
  const { name, namespace } = manifest.metadata;
  return untilNoConflict(async () => {
    const live = await kube.get(manifest.kind, name, namespace);
    if (live === undefined) await checkMayMake(kube, manifest, writer);
    else checkMayChange(manifest.kind, live, writer);
    const seen = live === undefined ? {} : { uid: live.metadata.uid, resourceVersion: live.metadata.resourceVersion };
    const metadata = { ...manifest.metadata, ...seen };
    return kube.apply({ ...manifest, metadata }, { fieldManager: fieldManagers.lifecycle, force: true });
  });
}

/** F5. */
function checkMayChange(kind: KindName, live: KubeObject, writer: Writer): void {
  checkFence(kind, live, writer);
  if (live.metadata.deletionTimestamp === undefined) return;
  const problem = heldText(live) ?? 'it is made again when it is gone';
  throw mr('MR_OBJECT_HELD', { object: objectText(kind, live), problem });
}

/** What a newer operation has written meanwhile is not deleted (F1). */
export async function deleteFenced(kube: Kube, kind: KindName, found: KubeObject, writer: Writer): Promise<void> {
  const { name, namespace, uid } = found.metadata;
  await untilNoConflict(async () => {
    const live = await kube.get(kind, name, namespace);
    if (live === undefined || live.metadata.uid !== uid) return;
    checkFence(kind, live, writer);
    await kube.delete(kind, name, namespace, { uid, resourceVersion: live.metadata.resourceVersion });
  });
}

/** Throws when this operation may not write `live` (F1, F2). */
export function checkFence(kind: KindName, live: KubeObject, { pipeline, seq }: Writer): void {
  const object = objectText(kind, live);
  const owner = live.metadata.labels?.[labels.pipelineUid];
  if (owner !== pipeline.uid) throw foreignObject(kind, live);
  const writtenBy = Number(live.metadata.annotations?.[annotations.opSeq] ?? 0);
  if (writtenBy > seq) throw mr('MR_OPERATION_FENCED', { object, seq, newer: writtenBy });
}

/** MR_OBJECT_FOREIGN, with whose it is. */
export function foreignObject(kind: KindName, live: KubeObject): MillraceError {
  return mr('MR_OBJECT_FOREIGN', { object: objectText(kind, live), owner: ownerOf(live) });
}

function objectText(kind: KindName, { metadata }: Pick<KubeObject, 'metadata'>): string {
  return `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
}

/** A pipeline that is gone may have left it, on purpose or for a while (`workers/controller/leftovers.ts`). */
function ownerOf({ metadata }: KubeObject): string {
  const { [labels.pipelineUid]: uid, [labels.pipeline]: name } = metadata.labels ?? {};
  if (uid === undefined) return 'no pipeline';
  const isReleased = metadata.annotations?.[annotations.released] !== undefined;
  return `pipeline ${name ?? ''} with uid ${uid}${isReleased ? ', which was deleted with deletionPolicy Orphan' : ''}`;
}

/** F4. */
async function checkMayMake(kube: Kube, { kind, metadata }: Manifest, { pipeline, seq }: Writer): Promise<void> {
  const resource = await readResource(kube, pipeline);
  const { namespace, name } = pipeline;
  if (isBeingDeleted(resource)) throw mr('MR_PIPELINE_BEING_DELETED', { namespace, name });
  const newer = ownStatus(resource).opSeq ?? 0;
  const object = `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
  if (newer > seq) throw mr('MR_OPERATION_FENCED', { object, seq, newer });
}
