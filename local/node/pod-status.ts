/**
 * A pod's status as kubelet would write it. Pure.
 *
 * S1  A container is ready while it runs, its startup probe (if any) has succeeded and its readiness probe (if any)
 *     says so.
 * S2  A condition's transition time changes only when its status does.
 */
import type { FaultReason } from './fault.ts';
import type { Placement } from './field-ref.ts';
import type { Ended, Run } from './instance.ts';
import { mayRestart, type Phase } from './pod-plan.ts';
import type { Container, Pod } from './pod.ts';

export interface ContainerReport {
  readonly container: Container;
  readonly isInit: boolean;
  readonly run: Run | undefined;
  readonly runId: string | undefined;
  readonly restarts: number;
  readonly previous: Ended | undefined;
  /** Why it does not start. */
  readonly fault: { readonly reason: FaultReason; readonly message: string } | undefined;
  /** Until when it waits for its restart. */
  readonly backoffMs: number | undefined;
  readonly isStarted: boolean;
  readonly isReady: boolean;
}

export interface PodReport {
  readonly pod: Pod;
  readonly phase: Phase;
  /** Set when the node, not a container, decided the phase: `DeadlineExceeded`. */
  readonly verdict: { readonly reason: string; readonly message: string } | undefined;
  readonly placement: Placement | undefined;
  readonly startedAt: number;
  readonly containers: readonly ContainerReport[];
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime: string;
  readonly lastProbeTime: null;
}

export function statusOf(report: PodReport, before: readonly Condition[], now: number): Record<string, unknown> {
  const { pod, phase, placement, verdict } = report;
  const init = report.containers.filter((container) => container.isInit);
  const main = report.containers.filter((container) => !container.isInit);
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    reason: verdict?.reason ?? null,
    message: verdict?.message ?? null,
    conditions: conditionsOf(report, init, main).map((condition) => withTime(condition, before, now)),
    startTime: isoSeconds(report.startedAt),
    ...(placement
      ? {
          hostIP: placement.hostIP,
          hostIPs: [{ ip: placement.hostIP }],
          podIP: placement.podIP,
          podIPs: [{ ip: placement.podIP }],
        }
      : {}),
    ...(init.length > 0 ? { initContainerStatuses: init.map((container) => containerStatus(container, report)) } : {}),
    containerStatuses: main.map((container) => containerStatus(container, report)),
  };
}

/** RFC 3339 in whole seconds, as the API stores times. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

type Claim = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

function conditionsOf(report: PodReport, init: readonly ContainerReport[], main: readonly ContainerReport[]): Claim[] {
  const isOver = report.phase === 'Succeeded' || report.phase === 'Failed';
  const completed = { reason: report.phase === 'Failed' ? 'PodFailed' : 'PodCompleted' };
  const pendingInit = init.filter(({ run }) => !(run?.state === 'ended' && run.exitCode === 0));
  const unready = main.filter((container) => !container.isReady);
  const containersReady: Omit<Claim, 'type'> = isOver
    ? { status: 'False', ...completed }
    : unready.length === 0
      ? { status: 'True' }
      : {
          status: 'False',
          reason: 'ContainersNotReady',
          message: `containers with unready status: [${names(unready)}]`,
        };
  return [
    { type: 'PodReadyToStartContainers', status: report.placement && !isOver ? 'True' : 'False' },
    pendingInit.length === 0 || report.phase === 'Succeeded'
      ? { type: 'Initialized', status: 'True' }
      : {
          type: 'Initialized',
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${names(pendingInit)}]`,
        },
    { type: 'ContainersReady', ...containersReady },
    { type: 'Ready', ...withGates(containersReady, report.pod) },
    { type: 'PodScheduled', status: 'True' },
  ];
}

function withGates(containersReady: Omit<Claim, 'type'>, pod: Pod): Omit<Claim, 'type'> {
  if (containersReady.status === 'False') return containersReady;
  const held = conditionsIn(pod.status);
  const closed = pod.spec.readinessGates.filter(
    ({ conditionType }) => !held.some(({ type, status }) => type === conditionType && status === 'True'),
  );
  if (closed.length === 0) return containersReady;
  const message = `readiness gates not passed: ${closed.map(({ conditionType }) => conditionType).join(', ')}`;
  return { status: 'False', reason: 'ReadinessGatesNotReady', message };
}

/** S2. Absent reason and message are written as null, so that a patch removes earlier ones. */
function withTime(claim: Claim, before: readonly Condition[], now: number): Record<string, unknown> {
  const same = before.find((condition) => condition.type === claim.type && condition.status === claim.status);
  return {
    type: claim.type,
    status: claim.status,
    reason: claim.reason ?? null,
    message: claim.message ?? null,
    lastProbeTime: null,
    lastTransitionTime: same?.lastTransitionTime ?? isoSeconds(now),
  };
}

/** The conditions in a pod's status as the API gave it. */
export function conditionsIn(status: Readonly<Record<string, unknown>>): readonly Condition[] {
  const conditions = status['conditions'];
  return Array.isArray(conditions) ? (conditions as Condition[]) : [];
}

function containerStatus(report: ContainerReport, { pod, phase }: PodReport): Record<string, unknown> {
  const { container, run, restarts, previous, isReady, isStarted } = report;
  const isWaiting = run?.state === 'ended' && waits(report, pod, phase);
  const last = isWaiting ? run : previous;
  return {
    name: container.name,
    image: container.image,
    imageID: '',
    ...(report.runId === undefined ? {} : { containerID: `millrace://${report.runId}` }),
    restartCount: restarts,
    ready: isReady,
    started: isStarted,
    state: isWaiting || run === undefined ? { waiting: waitingOf(report, pod) } : stateOf(run, report.runId),
    lastState: last ? terminated(last, undefined) : {},
  };
}

function waits(report: ContainerReport, pod: Pod, phase: Phase): boolean {
  if (phase === 'Succeeded' || phase === 'Failed' || report.run?.state !== 'ended') return false;
  if (report.isInit && report.run.exitCode === 0 && !report.run.interrupted) return false;
  return mayRestart(report.run, pod.spec.restartPolicy) || (report.isInit && pod.spec.restartPolicy !== 'Never');
}

function waitingOf({ fault, backoffMs, container, isInit }: ContainerReport, pod: Pod): Record<string, string> {
  if (fault) return { reason: fault.reason, message: fault.message };
  if (backoffMs !== undefined) {
    const { name, namespace, uid } = pod.metadata;
    const message = `back-off ${backoffMs / 1000}s restarting failed container=${container.name} pod=${name}_${namespace}(${uid})`;
    return { reason: 'CrashLoopBackOff', message };
  }
  return { reason: !isInit && pod.spec.initContainers.length > 0 ? 'PodInitializing' : 'ContainerCreating' };
}

function stateOf(run: Run, runId: string | undefined): Record<string, unknown> {
  switch (run.state) {
    case 'starting':
      return { waiting: { reason: 'ContainerCreating' } };
    case 'running':
      return { running: { startedAt: isoSeconds(run.startedAt) } };
    case 'ended':
      return terminated(run, runId);
  }
}

function terminated(ended: Ended, runId: string | undefined): Record<string, unknown> {
  return {
    terminated: {
      exitCode: ended.exitCode,
      reason: ended.reason,
      ...(ended.message === undefined ? {} : { message: ended.message }),
      startedAt: isoSeconds(ended.startedAt),
      finishedAt: isoSeconds(ended.finishedAt),
      ...(runId === undefined ? {} : { containerID: `millrace://${runId}` }),
    },
  };
}

function names(containers: readonly ContainerReport[]): string {
  return containers.map(({ container }) => container.name).join(' ');
}
