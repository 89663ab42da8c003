/**
 * What the pods report and what the lifecycle has done, folded into the conditions of the controller. Pure.
 *
 * F1  Only live reports count: a pod that died silently is not connected.
 * F2  Ready is True only when nothing is being changed and every stage that should run reports that it is connected; a
 *     pipeline that is paused as requested is ready, too.
 * F3  When Ready is not True it has the most telling reason there is.
 * F4  A pipeline that should run has a ready pod in every stage, or is not ready: pods that died may have reported a
 *     moment ago that all is well.
 */
import { claim, claimBecause, conditionsOf, isWell, type Claim, type ConditionOf } from '../../model/conditions.ts';
import { mr, reasonOf } from '../../model/errors.ts';
import type { Condition, PipelineStatus } from '../../model/status.ts';
import type { PodReport } from '../../stream/pod-report.ts';

/** One claim for each condition of the controller: a new row of the table does not compile without one. */
type Claims = { readonly [T in ConditionOf<'controller'>]: Claim<T> };

export interface StageFact {
  readonly name: string;
  readonly wanted: number;
  readonly ready: number;
  /** What its pods say about why they are not ready. */
  readonly why: string | undefined;
}

export interface ConditionsInput {
  readonly generation: number;
  readonly deleting: boolean;
  readonly status: PipelineStatus;
  /** Live reports of the pipeline's pods. */
  readonly reports: readonly PodReport[];
  /** Stages as their workloads are now. */
  readonly stages: readonly StageFact[];
  readonly deadLetters: number;
  /** Temporal does not answer although there is something to tell it. */
  readonly engineUnavailable: string | undefined;
}

export function claimsOf(input: ConditionsInput): readonly Claim[] {
  const SourceConnected = { ...connected(input, 'ingestor'), type: 'SourceConnected' } as const;
  const SinkConnected = { ...connected(input, 'sink'), type: 'SinkConnected' } as const;
  const claims: Claims = {
    Ready: ready(input, SourceConnected, SinkConnected),
    SourceConnected,
    SinkConnected,
    Flowing: flowing(input),
    DeadLettersEmpty: deadLettersEmpty(input.deadLetters),
  };
  return conditionsOf('controller').map((type) => claims[type]);
}

function ready(input: ConditionsInput, source: Claim, sink: Claim): Claim<'Ready'> {
  const { status, generation, deleting, engineUnavailable } = input;
  const not = (reason: string, message: string) => claimBecause('Ready', 'False', { reason, message });
  const reconciling = conditionOf(status, 'Reconciling');
  const isChanging = reconciling?.status === 'True';
  if (engineUnavailable !== undefined) return not('EngineUnavailable', engineUnavailable);
  if (deleting) {
    const deletion = claim('Ready', 'Deleting');
    return isChanging ? { ...deletion, message: reconciling.message } : deletion;
  }
  if (isChanging) return not(reconciling.reason, reconciling.message);
  const pending = claim('Ready', 'Pending', { generation });
  if (status.observedGeneration === undefined) return { ...pending, status: 'Unknown' };
  if (status.observedGeneration < generation) return pending;
  for (const type of ['Stalled', 'Accepted', 'Provisioned'] as const) {
    const condition = conditionOf(status, type);
    if (condition === undefined) return pending;
    if (!isWell(condition)) return not(condition.reason, condition.message);
  }
  const still = standsStill(status);
  if (still !== undefined) return claim('Ready', still);
  const dead = input.stages.find(({ wanted, ready: count }) => wanted > 0 && count === 0);
  if (dead !== undefined) {
    const why = dead.why ?? 'its pods have not become ready yet';
    const error = mr('MR_WORKLOAD_NOT_READY', { stage: dead.name, ready: 0, wanted: dead.wanted, why });
    return not(error.reason, error.sentence);
  }
  const trouble = [sink, source].find((each) => !isWell(each));
  return trouble === undefined ? claim('Ready', 'Running') : not(trouble.reason, trouble.message);
}

/** The same for both ends. */
function connected(input: ConditionsInput, kind: PodReport['kind']): Claim {
  const type: 'SourceConnected' | 'SinkConnected' = kind === 'ingestor' ? 'SourceConnected' : 'SinkConnected';
  const still = standsStill(input.status);
  if (still !== undefined) return claim(type, still);
  const stages = (input.status.stages ?? []).filter(({ name }) => name.startsWith(`${kind}-`));
  const reports = input.reports.filter(
    (report) => report.kind === kind && stages.some(({ name }) => name === report.stage),
  );
  const silent = stages.find(({ name }) => !reports.some((report) => report.stage === name));
  const broken = reports.find(({ connection }) => connection.state === 'Disconnected');
  if (broken !== undefined) return asReported(claim(type, 'Disconnected', { pod: broken.pod }), broken.connection);
  if (stages.length === 0) return claim(type, 'Pending');
  if (silent !== undefined) return claim(type, 'NotReported', { stage: silent.name });
  const connecting = reports.find(({ connection }) => connection.state === 'Connecting');
  if (connecting !== undefined) return claim(type, 'Connecting', { pod: connecting.pod });
  return claim(type, 'Connected', { pods: reports.length === 1 ? '1 pod is' : `${reports.length} pods are` });
}

function flowing({ status, reports }: ConditionsInput): Claim<'Flowing'> {
  const still = standsStill(status);
  if (still !== undefined) return claim('Flowing', still);
  const waiting = reports.find(({ flow }) => flow.state === 'Waiting');
  if (waiting !== undefined) {
    const { pod, flow } = waiting;
    return asReported(claim('Flowing', 'Waiting', { pod, what: flow.waitingOn ?? 'something' }), flow);
  }
  if (reports.some(({ flow }) => flow.state === 'Flowing')) return claim('Flowing', 'Flowing');
  if (reports.some(({ flow }) => flow.state === 'Idle')) return claim('Flowing', 'Idle');
  return claim('Flowing', 'Starting');
}

function deadLettersEmpty(records: number): Claim<'DeadLettersEmpty'> {
  if (records === 0) return claim('DeadLettersEmpty', 'Empty');
  return claim('DeadLettersEmpty', 'DeadLetters', { records: records === 1 ? '1 record' : `${records} records` });
}

/** With the code and the words of the pod, where it gave any. */
function asReported<T extends ConditionOf<'controller'>>(
  base: Claim<T>,
  { code, message }: { readonly code?: string | undefined; readonly message?: string | undefined },
): Claim<T> {
  return {
    ...base,
    ...(code === undefined ? {} : { reason: reasonOf(code) }),
    ...(message === undefined ? {} : { message }),
  };
}

function standsStill({ phase }: PipelineStatus): 'Paused' | 'Stopped' | undefined {
  return phase === 'Paused' || phase === 'Stopped' ? phase : undefined;
}

function conditionOf(status: PipelineStatus, type: string): Condition | undefined {
  return status.conditions?.find((condition) => condition.type === type);
}
