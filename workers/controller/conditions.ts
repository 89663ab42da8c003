/**
 * What the pods report and what the lifecycle has done, folded into the conditions of the controller. Pure.
 *
 * F1  Only live reports count: a pod that died silently is not connected.
 * F2  Ready is True only when nothing is being changed and every stage that should run reports that it is connected; a
 *     pipeline that is paused as wished is ready, too.
 * F3  When Ready is not True it has the most telling reason there is.
 * F4  A pipeline that should run has a ready pod in every stage, or is not ready: pods that died may have reported a
 *     moment ago that all is well.
 */
import { mr } from '../../model/errors.ts';
import type { Condition, PipelineStatus } from '../../model/status.ts';
import type { PodReport } from '../../stream/pod-report.ts';

export type Claim = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

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
  const source = connected(input, 'ingestor');
  const sink = connected(input, 'sink');
  return [ready(input, source, sink), source, sink, flowing(input), deadLettersEmpty(input.deadLetters)];
}

function ready(input: ConditionsInput, source: Claim, sink: Claim): Claim {
  const { status, generation, deleting, engineUnavailable } = input;
  const not = (reason: string, message: string): Claim => ({ type: 'Ready', status: 'False', reason, message });
  const reconciling = conditionOf(status, 'Reconciling');
  const isChanging = reconciling?.status === 'True';
  const isBehind = (status.observedGeneration ?? 0) < generation;
  if (engineUnavailable !== undefined) return not('EngineUnavailable', engineUnavailable);
  if (deleting) return not('Deleting', isChanging ? reconciling.message : 'The pipeline is being taken down.');
  if (isChanging) return not(reconciling.reason, reconciling.message);
  if (isBehind) {
    const message = `Generation ${generation} waits to be carried out.`;
    return status.observedGeneration === undefined
      ? { ...not('Pending', message), status: 'Unknown' }
      : not('Pending', message);
  }
  for (const [type, healthy] of [
    ['Stalled', 'False'],
    ['Accepted', 'True'],
    ['Provisioned', 'True'],
  ] as const) {
    const condition = conditionOf(status, type);
    if (condition === undefined) return not('Pending', 'The pipeline was not looked at yet.');
    if (condition.status !== healthy) return not(condition.reason, condition.message);
  }
  const still = standsStill(status);
  if (still !== undefined)
    return { type: 'Ready', status: 'True', reason: still, message: `The pipeline is ${still}, as wished.` };
  const dead = input.stages.find(({ wanted, ready: count }) => wanted > 0 && count === 0);
  if (dead !== undefined) {
    const why = dead.why ?? 'its pods have not become ready yet';
    const error = mr('MR_WORKLOAD_NOT_READY', { stage: dead.name, ready: 0, wanted: dead.wanted, why });
    return not(error.reason, error.sentence);
  }
  const trouble = [sink, source].find((claim) => claim.status !== 'True');
  if (trouble !== undefined) return not(trouble.reason, trouble.message);
  return { type: 'Ready', status: 'True', reason: 'Running', message: 'Every stage runs and is connected.' };
}

function connected(input: ConditionsInput, kind: PodReport['kind']): Claim {
  const type = kind === 'ingestor' ? 'SourceConnected' : 'SinkConnected';
  const claim = (status: Claim['status'], reason: string, message: string): Claim => ({
    type,
    status,
    reason,
    message,
  });
  const still = standsStill(input.status);
  if (still !== undefined) return claim('Unknown', still, 'No pod runs that could be connected.');
  const stages = (input.status.stages ?? []).filter(({ name }) => name.startsWith(`${kind}-`));
  const reports = input.reports.filter(
    (report) => report.kind === kind && stages.some(({ name }) => name === report.stage),
  );
  const silent = stages.find(({ name }) => !reports.some((report) => report.stage === name));
  const broken = reports.find(({ connection }) => connection.state === 'Disconnected');
  if (broken !== undefined) {
    const { code, message } = broken.connection;
    return claim('False', reasonOf(code, 'Disconnected'), message ?? `Pod ${broken.pod} is not connected.`);
  }
  if (stages.length === 0) return claim('Unknown', 'Pending', 'No stage was deployed yet.');
  if (silent !== undefined)
    return claim('Unknown', 'NotReported', `No pod of ${silent.name} has reported within the last 30 s.`);
  const connecting = reports.find(({ connection }) => connection.state === 'Connecting');
  if (connecting !== undefined) return claim('Unknown', 'Connecting', `Pod ${connecting.pod} is connecting.`);
  return claim('True', 'Connected', `${reports.length} ${reports.length === 1 ? 'pod is' : 'pods are'} connected.`);
}

function flowing({ status, reports }: ConditionsInput): Claim {
  const claim = (value: Claim['status'], reason: string, message: string): Claim => ({
    type: 'Flowing',
    status: value,
    reason,
    message,
  });
  const still = standsStill(status);
  if (still !== undefined) return claim('False', still, 'No record moves.');
  const waiting = reports.find(({ flow }) => flow.state === 'Waiting');
  if (waiting !== undefined) {
    const { code, message, waitingOn } = waiting.flow;
    return claim(
      'False',
      reasonOf(code, 'Waiting'),
      message ?? `Pod ${waiting.pod} waits for ${waitingOn ?? 'something'}.`,
    );
  }
  if (reports.some(({ flow }) => flow.state === 'Flowing')) return claim('True', 'Flowing', 'Records move.');
  if (reports.some(({ flow }) => flow.state === 'Idle')) return claim('False', 'Idle', 'There is nothing to read.');
  return claim('Unknown', 'Starting', 'No pod has read anything yet.');
}

function deadLettersEmpty(records: number): Claim {
  return records === 0
    ? { type: 'DeadLettersEmpty', status: 'True', reason: 'Empty', message: 'No record had to be put aside.' }
    : {
        type: 'DeadLettersEmpty',
        status: 'False',
        reason: 'DeadLetters',
        message: `${records} ${records === 1 ? 'record' : 'records'} could not be processed and wait to be looked at.`,
      };
}

function standsStill({ phase }: PipelineStatus): 'Paused' | 'Stopped' | undefined {
  return phase === 'Paused' || phase === 'Stopped' ? phase : undefined;
}

function conditionOf(status: PipelineStatus, type: string): Condition | undefined {
  return status.conditions?.find((condition) => condition.type === type);
}

/** `MR_SINK_AUTH_REJECTED` → `SinkAuthRejected`. A report may carry a code that this version does not know. */
function reasonOf(code: string | undefined, otherwise: string): string {
  if (code === undefined) return otherwise;
  const words = code.replace(/^MR_/, '').split('_');
  return words.map((word) => word.charAt(0) + word.slice(1).toLowerCase()).join('');
}
