/**
 * Writes the controller's part of a status: data conditions, Ready, dead letters, ready pods of each stage.
 *
 * A change of a condition's status or reason, or of a number of ready pods, is urgent; a change of a message or of the
 * number of dead letters waits until ten seconds after the last write (`./write-pace.ts`).
 *
 * While no operation runs, the phase follows Ready: Running or NotReady. The lifecycle writes it, too, so the write
 * names the resourceVersion that was read: an operation that started meanwhile is not overwritten.
 */
import type { Claim } from '../../model/conditions.ts';
import type { PipelineRef } from '../../model/lifecycle.ts';
import { apiVersion, fieldManagers, kind } from '../../model/names.ts';
import { isUnderWay, type Condition, type Phase, type PipelineStatus } from '../../model/status.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { hasLeftover } from './listed-stages.ts';
import type { Seen } from './pipeline-record.ts';

export type Urgency = 'none' | 'later' | 'now';

/** What the controller writes about a pipeline. */
export interface Said {
  readonly claims: readonly Claim[];
  readonly deadLetters: { readonly records: number; readonly dropped: number };
  /** Ready pods of the stages that have a workload. */
  readonly stages: readonly { readonly name: string; readonly ready: number }[];
}

/** How much that differs from the status of the resource. Pure. */
export function urgencyOf({ claims, deadLetters, stages }: Said, status: PipelineStatus): Urgency {
  const observedGeneration = status.observedGeneration ?? 0;
  if (phaseOf(claims, status) !== status.phase || hasLeftover(status)) return 'now';
  const readyOf = (name: string) => stages.find((stage) => stage.name === name)?.ready ?? 0;
  if ((status.stages ?? []).some(({ name, ready }) => ready !== readyOf(name))) return 'now';
  const { records, dropped = 0 } = status.deadLetters ?? {};
  const isCounted = records === deadLetters.records && dropped === deadLetters.dropped;
  let urgency: Urgency = isCounted ? 'none' : 'later';
  for (const claim of claims) {
    const old = status.conditions?.find(({ type }) => type === claim.type);
    const isSame = old?.status === claim.status && old.reason === claim.reason;
    if (!isSame || (old.observedGeneration ?? 0) !== observedGeneration) return 'now';
    if (old.message !== claim.message) urgency = 'later';
  }
  return urgency;
}

/** Ready falls: a status must not stay better than the pipeline is. */
export function takesReadyBack({ claims }: Said, { conditions = [] }: PipelineStatus): boolean {
  const isReady = ({ type, status }: Pick<Claim, 'status'> & { readonly type: string }) =>
    type === 'Ready' && status === 'True';
  return conditions.some(isReady) && !claims.some(isReady);
}

function phaseOf(claims: readonly Claim[], { phase }: PipelineStatus): Phase | undefined {
  if (!isUnderWay(phase)) return phase;
  return claims.some(({ type, status }) => type === 'Ready' && status === 'True') ? 'Running' : 'NotReady';
}

/** `dropped` is left out while it is 0. */
function shownCount({ records, dropped }: Said['deadLetters']): PipelineStatus['deadLetters'] {
  return { records, ...(dropped === 0 ? {} : { dropped }) };
}

export async function writeDataStatus(
  kube: Kube,
  { name, namespace, uid }: PipelineRef,
  { status, resourceVersion }: Pick<Seen, 'status' | 'resourceVersion'>,
  { claims, deadLetters, stages }: Said,
  now: number,
): Promise<KubeObject> {
  const at = new Date(now).toISOString();
  const conditions = claims.map((claim): Condition => {
    const old = status.conditions?.find(({ type }) => type === claim.type);
    return {
      ...claim,
      observedGeneration: status.observedGeneration ?? 0,
      lastTransitionTime: old?.status === claim.status ? old.lastTransitionTime : at,
    };
  });
  const phased = isUnderWay(status.phase) ? { phase: phaseOf(claims, status) } : {};
  const metadata = { name, namespace, uid, ...(isUnderWay(status.phase) ? { resourceVersion } : {}) };
  return kube.apply(
    {
      apiVersion,
      kind,
      metadata,
      status: { ...phased, conditions, stages, deadLetters: shownCount(deadLetters) },
    },
    { fieldManager: fieldManagers.controller, force: true, subresource: 'status' },
  );
}
