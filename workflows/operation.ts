/**
 * What all operations have in common: who they are, how their steps read, how they begin and end in the status.
 */
import { log, workflowInfo } from '@temporalio/workflow';
import type {
  LifecycleCondition,
  Location,
  OperationKind,
  OperationRef,
  PipelineRef,
  PlanRef,
  SpecSummary,
  StatusPatch,
} from '../model/lifecycle.ts';
import type { DesiredState } from '../model/plan.ts';
import type { Phase } from '../model/status.ts';
import { run } from './activities.ts';

export interface OperationInput {
  readonly pipeline: PipelineRef;
  readonly kind: OperationKind;
  readonly seq: number;
  readonly generation: number;
  readonly desired: DesiredState;
  readonly startedAt: string;
  /** What made it necessary, where that is not the spec. */
  readonly because?: string;
  readonly entity: { readonly id: string; readonly runId: string };
}

export type OperationResult =
  { readonly is: 'done'; readonly generation: number } | { readonly is: 'superseded'; readonly generation: number };

interface Words {
  /** While it runs. */
  readonly phase: Phase;
  readonly reason: string;
  readonly doing: string;
  /** When it is done. */
  readonly doneReason: string;
}

/** How each operation reads in status and events. */
export const words: Readonly<Record<OperationKind, Words>> = {
  provision: {
    phase: 'Provisioning',
    reason: 'Provisioning',
    doing: 'The pipeline is being set up.',
    doneReason: 'Provisioned',
  },
  reconfigure: {
    phase: 'Reconfiguring',
    reason: 'Reconfiguring',
    doing: 'The change is being carried out.',
    doneReason: 'Reconfigured',
  },
  repair: {
    phase: 'Repairing',
    reason: 'Repairing',
    doing: 'What was changed by somebody else is being restored.',
    doneReason: 'Repaired',
  },
  resume: {
    phase: 'Resuming',
    reason: 'Resuming',
    doing: 'The pipeline is being started again.',
    doneReason: 'Resumed',
  },
  pause: { phase: 'Pausing', reason: 'Pausing', doing: 'All pods are being stopped.', doneReason: 'Paused' },
  stop: {
    phase: 'Pausing',
    reason: 'Stopping',
    doing: 'Sources are being stopped and what was read is written.',
    doneReason: 'Stopped',
  },
  teardown: {
    phase: 'Deleting',
    reason: 'Deleting',
    doing: 'The pipeline is being taken down.',
    doneReason: 'Deleted',
  },
};

export function refOf(input: OperationInput): OperationRef {
  const { pipeline, kind, seq, generation, startedAt } = input;
  return { pipeline, kind, seq, generation, startedAt, id: workflowInfo().workflowId };
}

/** `apply sink/warehouse (g7)`. */
export function sentence(what: string, generation: number): string {
  return `${what} (g${generation})`;
}

/** `sink-warehouse` → `sink/warehouse`. */
export function readable(stage: string): string {
  return stage.replace('-', '/');
}

/** Input of an activity that is one step of an operation. */
export function stepOf(input: OperationInput, at: Pick<SpecSummary | Location, 'workloadNamespace' | 'isolation'>) {
  const op = refOf(input);
  const { workloadNamespace, isolation } = at;
  return (what: string): PlanRef => ({
    op,
    step: what,
    workloadNamespace,
    isolation,
    generation: input.generation,
  });
}

export async function begin(input: OperationInput): Promise<void> {
  const { phase, reason } = words[input.kind];
  const doing = [words[input.kind].doing, ...(input.because === undefined ? [] : [input.because])].join(' ');
  const op = refOf(input);
  log.info(`${input.kind} begins`, { generation: input.generation });
  await run('writeStatus', sentence(`say that the pipeline is ${phase}`, input.generation), {
    pipeline: input.pipeline,
    opSeq: input.seq,
    generation: input.generation,
    patch: {
      phase,
      workflow: input.entity,
      operation: { id: op.id, type: input.kind, step: 'begin', startedAt: input.startedAt },
      conditions: [
        { type: 'Reconciling', status: 'True', reason, message: doing },
        {
          type: 'Stalled',
          status: 'False',
          reason: 'Progressing',
          message: 'Nothing keeps the operation from going on.',
        },
        ...(input.kind === 'teardown' ? [] : [accepted]),
        ...beginsAt(input.kind),
      ],
    },
    event: { type: 'Normal', reason, action: input.kind, note: `${doing} Generation ${input.generation}.` },
  });
}

const accepted: LifecycleCondition = {
  type: 'Accepted',
  status: 'True',
  reason: 'Valid',
  message: 'The spec is valid.',
};

function beginsAt(kind: OperationKind): readonly LifecycleCondition[] {
  const { reason, doing } = words[kind];
  return kind === 'provision' || kind === 'teardown'
    ? [{ type: 'Provisioned', status: 'False', reason, message: doing }]
    : [];
}

const reached: Readonly<Record<DesiredState, { readonly phase: Phase; readonly message: string }>> = {
  Running: { phase: 'Running', message: 'Every stage has the pods that it should have.' },
  Paused: { phase: 'Paused', message: 'No pod runs; streams and positions are kept.' },
  Stopped: { phase: 'Stopped', message: 'What was read is written, and no pod runs.' },
};

export async function succeed(input: OperationInput, result: Pick<StatusPatch, 'stages' | 'revision'>): Promise<void> {
  const { phase, message } = reached[input.desired];
  const { generation } = input;
  const { doneReason } = words[input.kind];
  await run('writeStatus', sentence(`say that the pipeline is ${phase}`, generation), {
    pipeline: input.pipeline,
    opSeq: input.seq,
    generation,
    patch: {
      ...result,
      phase,
      observedGeneration: generation,
      acceptedGeneration: generation,
      operation: null,
      conditions: [
        { type: 'Reconciling', status: 'False', reason: 'Settled', message: 'Nothing is being changed.' },
        { type: 'Stalled', status: 'False', reason: 'Settled', message: 'Nothing is being changed.' },
        accepted,
        { type: 'Provisioned', status: 'True', reason: phase, message },
      ],
    },
    event: { type: 'Normal', reason: doneReason, action: input.kind, note: `${message} Generation ${generation}.` },
  });
}
