/** What the pods of a stage show about why they are not ready. Pure. */
import { z } from 'zod';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { mr, type MillraceError } from '../../model/errors.ts';
import { counted, cut } from '../../model/text.ts';

const containerState = z.looseObject({
  running: z.looseObject({ startedAt: z.string().optional() }).optional(),
  waiting: z.looseObject({ reason: z.string().optional(), message: z.string().optional() }).optional(),
  terminated: z
    .looseObject({
      reason: z.string().optional(),
      exitCode: z.number().optional(),
      message: z.string().optional(),
      finishedAt: z.string().nullish(),
    })
    .optional(),
});
const podStatus = z.looseObject({
  phase: z.string().optional(),
  conditions: z
    .array(
      z.looseObject({
        type: z.string(),
        status: z.string(),
        reason: z.string().optional(),
        message: z.string().optional(),
        lastTransitionTime: z.string().nullish(),
      }),
    )
    .nullish(),
  containerStatuses: z
    .array(
      z.looseObject({
        ready: z.boolean().default(false),
        restartCount: z.number().default(0),
        state: containerState.optional(),
        lastState: containerState.optional(),
      }),
    )
    .nullish(),
});

const podSpec = z.looseObject({
  nodeName: z.string().optional(),
  containers: z
    .array(
      z.looseObject({
        resources: z.looseObject({ limits: z.looseObject({ memory: z.string().optional() }).optional() }).optional(),
      }),
    )
    .default([]),
});
const lingerMs = 10_000;

/** States in which a pod is starting normally: nothing to report. */
const passing = new Set(['ContainerCreating', 'PodInitializing']);

/** Why a pod is not ready. */
export interface PodTrouble {
  /** `pod sink-1 is in CrashLoopBackOff, restarted 3 times (exit code 1, no route)`. */
  readonly why: string;
  /** The kernel has ended its process for its memory; names this end among those of all pods. */
  readonly outOfMemory?: string;
}

/** Of each pod that is neither ready nor starting, the most informative sentence. */
export function podTroubles(pods: readonly KubeObject[]): readonly PodTrouble[] {
  return pods.flatMap((pod) => {
    const trouble = troubleOf(pod);
    return trouble === undefined ? [] : [{ ...trouble, why: `pod ${pod.metadata.name} ${trouble.why}` }];
  });
}

/** What is said of a stage with such a pod. */
export function notReady(
  stage: { readonly stage: string; readonly ready: number; readonly wanted: number },
  { why, outOfMemory }: PodTrouble,
): MillraceError {
  return mr(outOfMemory === undefined ? 'MR_WORKLOAD_NOT_READY' : 'MR_WORKER_OUT_OF_MEMORY', { ...stage, why });
}

/**
 * Why pods that should be gone still exist, taken from the most overdue one; undefined while none is overdue. The
 * deletionTimestamp, which includes the grace period, is when a pod should be gone: a live kubelet is done by then.
 */
export function lingerReason(pods: readonly KubeObject[], now: number): string | undefined {
  const late = pods
    .flatMap((pod) => {
      const due = Date.parse(pod.metadata.deletionTimestamp ?? '');
      return Number.isNaN(due) || now - due < lingerMs ? [] : [{ pod, due }];
    })
    .sort((a, b) => a.due - b.due)[0];
  if (late === undefined) return undefined;
  const spec = podSpec.safeParse(late.pod['spec'] ?? {});
  const node = spec.success && spec.data.nodeName !== undefined ? ` on node ${spec.data.nodeName}` : '';
  const { name, finalizers = [] } = late.pod.metadata;
  const held = finalizers.length === 0 ? '' : `, kept by ${finalizers.join(', ')}`;
  return `pod ${name}${node} should be gone since ${new Date(late.due).toISOString()}${held}`;
}

function troubleOf(pod: KubeObject): PodTrouble | undefined {
  const status = podStatus.safeParse(pod['status'] ?? {});
  if (!status.success || pod.metadata.deletionTimestamp != null) return undefined;
  const ready = status.data.conditions?.find(({ type }) => type === 'Ready');
  const unreadyAt = ready?.status === 'False' ? (ready.lastTransitionTime ?? undefined) : undefined;
  for (const container of status.data.containerStatuses ?? []) {
    const { waiting, terminated, running } = container.state ?? {};
    // It was ready after it had started, so an earlier termination is not the cause.
    if (!container.ready && isAfter(unreadyAt, running?.startedAt))
      return { why: `is not ready any more since ${unreadyAt}` };
    const ended = terminated ?? container.lastState?.terminated;
    const restarts = container.restartCount > 0 ? `, restarted ${counted(container.restartCount, 'time')}` : '';
    if (!container.ready && ended?.reason === 'OOMKilled') {
      const outOfMemory = `${pod.metadata.uid ?? pod.metadata.name}/${ended.finishedAt ?? container.restartCount}`;
      return {
        why: `was ended by the kernel because it used more memory than ${limitOf(pod)} (OOMKilled)${restarts}`,
        outOfMemory,
      };
    }
    if (waiting?.reason !== undefined && !passing.has(waiting.reason)) {
      return { why: `is in ${waiting.reason}${restarts}${endedText(ended) ?? textOf(waiting.message)}` };
    }
    if (terminated !== undefined) return { why: `has ended${restarts}${endedText(terminated) ?? ''}` };
    if (!container.ready && container.restartCount > 0)
      return { why: `is not ready${restarts}${endedText(ended) ?? ''}` };
  }
  const scheduled = status.data.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return { why: `is not scheduled${textOf(scheduled.message ?? scheduled.reason)}` };
  return undefined;
}

function limitOf(pod: KubeObject): string {
  const spec = podSpec.safeParse(pod['spec'] ?? {});
  const limit = spec.success ? spec.data.containers[0]?.resources?.limits?.memory : undefined;
  return limit === undefined ? 'its node has' : `its limit of ${limit}`;
}

function isAfter(at: string | undefined, start: string | undefined): at is string {
  return at !== undefined && start !== undefined && Date.parse(at) > Date.parse(start);
}

function endedText(ended: z.output<typeof containerState>['terminated']): string | undefined {
  if (ended === undefined) return undefined;
  const message = ended.message ?? ended.reason;
  return ` (exit code ${ended.exitCode ?? 'unknown'}${message === undefined ? '' : `, ${cut(message.trim(), 300)}`})`;
}

function textOf(message: string | undefined): string {
  return message === undefined ? '' : `: ${cut(message.trim(), 300)}`;
}
