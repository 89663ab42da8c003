/**
 * How the lifecycle detects that somebody else has changed a workload.
 *
 * A1  After every write by the lifecycle the workload carries the hash of its whole spec as the API server returned it,
 *     defaults included: nothing has to be guessed about how the server completes a manifest.
 * A2  A crash between the two writes leaves the step undone, and it is repeated.
 * A3  A workload without the annotation was never finished by a step and counts as unchanged.
 */
import { hashOf } from '../../model/json.ts';
import { annotations, fieldManagers } from '../../model/names.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';

/**
 * `written` is the answer to the write. It is not read again: a later change by somebody else must not be taken for
 * ours.
 */
export async function noteApplied(kube: Kube, written: KubeObject): Promise<void> {
  const { name, namespace } = written.metadata;
  const hash = appliedHash(written);
  if (written.metadata.annotations?.[annotations.appliedHash] === hash) return;
  const metadata = { uid: written.metadata.uid, annotations: { [annotations.appliedHash]: hash } };
  await kube.patchMerge('Deployment', name, namespace, { metadata }, { fieldManager: fieldManagers.lifecycle });
}

/** Whether the workload's spec differs from how the lifecycle left it. */
export function isChangedByOthers(workload: KubeObject): boolean {
  const noted = workload.metadata.annotations?.[annotations.appliedHash];
  return noted !== undefined && noted !== appliedHash(workload);
}

function appliedHash(workload: KubeObject): string {
  return hashOf(workload['spec'] ?? null).slice(0, 16);
}
