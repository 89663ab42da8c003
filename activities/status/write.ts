/**
 * Writes the lifecycle's part of a pipeline's status by server-side apply on /status.
 *
 * U1  A resource that is gone, or another one with the same name, is left alone: that is not an error.
 * U2  A write applies to the version that was read (resourceVersion), so that parallel steps do not undo each other.
 * U3  An `operation` that another has written goes, whoever owns it: an apply leaves what others own, and of a part of it
 *     everybody would wait for the end of an operation that nobody carries out.
 */
import type { PipelineRef, StatusPatch } from '../../model/lifecycle.ts';
import { apiVersion, fieldManagers, kind } from '../../model/names.ts';
import { untilNoConflict } from '../../kubernetes/conflicts.ts';
import { unlessAbsent, type Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { othersShare } from '../../kubernetes/status-owners.ts';
import { mergeStatus, ownStatus, type OwnStatus } from './merge.ts';
import type { Clock } from '../../model/clock.ts';

export interface StatusTarget {
  readonly pipeline: PipelineRef;
  /** Absent: it does not come from an operation, and applies whichever operation wrote last. */
  readonly opSeq?: number;
  readonly generation: number;
}

type Change = (own: OwnStatus) => StatusPatch | undefined;

/** `change` maps the current status; undefined leaves it. Resolves with whether something was written. */
export async function updateStatus(
  kube: Kube,
  clock: Pick<Clock, 'now'>,
  target: StatusTarget,
  change: Change,
): Promise<boolean> {
  const { namespace, name, uid } = target.pipeline;
  return untilNoConflict(async () => {
    const found = await kube.get(kind, name, namespace);
    if (found?.metadata.uid !== uid) return false;
    const resource = isLeftByOthers(found, target, change) ? await withoutOperation(kube, found) : found;
    if (resource === undefined) return false;
    const own = ownStatus(resource);
    const patch = change(own);
    if (patch === undefined) return false;
    const newest = resource.metadata.generation ?? target.generation;
    const { opSeq = own.opSeq ?? 0, generation } = target;
    const input = { opSeq, generation, newest, now: new Date(clock.now()).toISOString() };
    const status = mergeStatus(own, patch, input);
    if (status === undefined) return false;
    const { resourceVersion } = resource.metadata;
    const metadata = { name, namespace, uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    const written = await unlessAbsent(
      kube.apply(
        { apiVersion, kind, metadata, status },
        { fieldManager: fieldManagers.status, force: true, subresource: 'status' },
      ),
    );
    return written !== undefined;
  });
}

/** U3. Not by an operation that a newer one has followed. */
function isLeftByOthers(resource: KubeObject, { opSeq }: StatusTarget, change: Change): boolean {
  if (!othersShare(resource.metadata, 'operation')) return false;
  const own = ownStatus(resource);
  if ((own.opSeq ?? 0) > (opSeq ?? Infinity)) return false;
  const operation = change(own)?.operation;
  return operation === null || (operation === undefined && own.operation === undefined);
}

async function withoutOperation(kube: Kube, { metadata }: KubeObject): Promise<KubeObject | undefined> {
  const { name, namespace, uid, resourceVersion } = metadata;
  const patch = { metadata: { uid, resourceVersion }, status: { operation: null } };
  return kube.patchMerge(kind, name, namespace, patch, { fieldManager: fieldManagers.status, subresource: 'status' });
}
