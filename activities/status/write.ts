/**
 * Writes the lifecycle's part of a pipeline's status by server-side apply on /status.
 *
 * U1  A resource that is gone, or another one with the same name, is left alone: that is not an error.
 * U2  A write applies to the version that was read (resourceVersion), so that parallel steps do not undo each other.
 */
import type { PipelineRef, StatusPatch } from '../../model/lifecycle.ts';
import { apiVersion, fieldManagers, kind } from '../../model/names.ts';
import { untilNoConflict } from '../../kubernetes/conflicts.ts';
import { unlessAbsent, type Kube } from '../../kubernetes/kube.ts';
import { mergeStatus, ownStatus, type OwnStatus } from './merge.ts';
import type { Clock } from '../../model/clock.ts';

export interface StatusTarget {
  readonly pipeline: PipelineRef;
  /** Absent: it does not come from an operation, and applies whichever operation wrote last. */
  readonly opSeq?: number;
  readonly generation: number;
}

/** `change` maps the current status; undefined leaves it. Resolves with whether something was written. */
export async function updateStatus(
  kube: Kube,
  clock: Pick<Clock, 'now'>,
  target: StatusTarget,
  change: (own: OwnStatus) => StatusPatch | undefined,
): Promise<boolean> {
  const { namespace, name, uid } = target.pipeline;
  return untilNoConflict(async () => {
    const resource = await kube.get(kind, name, namespace);
    if (resource?.metadata.uid !== uid) return false;
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
