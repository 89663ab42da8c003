/**
 * What all operations share: identity, names of steps, and what they write into the status at their start and end.
 */
import { log, workflowInfo } from '@temporalio/workflow';
import { claim } from '../model/conditions.ts';
import type {
  LifecycleCondition,
  Location,
  OperationRef,
  PipelineRef,
  PlanRef,
  SpecSummary,
  StatusPatch,
} from '../model/lifecycle.ts';
import { operationTable, type OperationKind } from '../model/operations.ts';
import type { DesiredState } from '../model/plan.ts';
import { run } from './activities.ts';

export interface OperationInput {
  readonly pipeline: PipelineRef;
  readonly kind: OperationKind;
  readonly seq: number;
  readonly generation: number;
  readonly desired: DesiredState;
  readonly startedAt: string;
  /** The cause, when that is not the spec. */
  readonly because?: string;
  /** The newest spec is refused: only its `desired` is used. */
  readonly refused?: true;
  readonly entity: { readonly id: string; readonly runId: string };
}

export type OperationResult =
  | { readonly is: 'done'; readonly generation: number }
  /** Nothing was done: the resource already had the newer `generation`. */
  | { readonly is: 'superseded'; readonly generation: number }
  /** Nothing was done: a teardown found a resource that exists and is not being deleted. */
  | { readonly is: 'notDeleted' };

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

/** Where a pipeline's objects are. */
export type Place = Pick<SpecSummary | Location, 'workloadNamespace' | 'isolation'>;

/**
 * The steps of an operation, each with one text: for `act('apply the plan')` Temporal shows `apply the plan (g7)`, and
 * the activity gets it as its step. `more`: further input of the activity.
 *
 *     await run('scaleStage', ...act('stop sink/warehouse', { stage: 'sink-warehouse', replicas: 0 }));
 */
export function actsOf(input: OperationInput, { workloadNamespace, isolation }: Place) {
  const op = refOf(input);
  const { generation } = input;
  const plan = input.refused === undefined ? {} : ({ plan: 'inForce' } as const);
  return <More extends object = object>(what: string, more?: More): [summary: string, input: PlanRef & More] => {
    const step: PlanRef = { op, step: what, workloadNamespace, isolation, generation, ...plan };
    return [sentence(what, generation), Object.assign(step, more)];
  };
}

export async function sayBegun(input: OperationInput): Promise<void> {
  const { phase, reason } = operationTable[input.kind];
  const reconciling = claim('Reconciling', reason);
  const doing = [reconciling.message, ...causeOf(input)].join(' ');
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
        { ...reconciling, message: doing },
        claim('Stalled', 'Progressing'),
        ...(input.kind === 'teardown' ? [] : acceptedBy(input)),
        ...whileRunning[input.kind],
      ],
    },
    event: { type: 'Normal', reason, action: input.kind, note: `${doing} Generation ${input.generation}.` },
  });
}

/** Of a change that the newest spec does not ask for. */
function causeOf({ kind, because, refused, generation }: OperationInput): readonly string[] {
  if (because !== undefined) return [because];
  if (refused === undefined || kind !== 'repair') return [];
  return [`The newest spec is refused (see Accepted), so generation ${generation} is applied once more.`];
}

/**
 * Provisioned describes what exists: a change leaves it True, a repair starts because it is not. What it has said of the
 * pods is no longer so once some are stopped or started: sinks run while a stopped pipeline drains.
 */
const whileRunning: Readonly<Record<OperationKind, readonly LifecycleCondition[]>> = {
  provision: [claim('Provisioned', 'Provisioning')],
  repair: [claim('Provisioned', 'Repairing')],
  teardown: [claim('Provisioned', 'Deleting')],
  reconfigure: [],
  pause: [claim('Provisioned', 'Changing')],
  stop: [claim('Provisioned', 'Changing')],
  resume: [claim('Provisioned', 'Changing')],
};

/** While the newest spec is refused, an operation leaves the condition Accepted alone. */
function acceptedBy({ refused }: OperationInput): readonly LifecycleCondition[] {
  return refused === undefined ? [claim('Accepted', 'Valid')] : [];
}

export async function sayDone(
  input: OperationInput,
  result: Pick<StatusPatch, 'stages' | 'revision' | 'planInForce'>,
): Promise<void> {
  const provisioned = claim('Provisioned', input.desired);
  const phase = input.desired;
  const { generation } = input;
  const { doneReason } = operationTable[input.kind];
  await run('writeStatus', sentence(`say that the pipeline is ${phase}`, generation), {
    pipeline: input.pipeline,
    opSeq: input.seq,
    generation,
    patch: {
      ...result,
      phase,
      observedGeneration: generation,
      ...(input.refused === undefined ? { acceptedGeneration: generation } : {}),
      operation: null,
      conditions: [claim('Reconciling', 'Settled'), claim('Stalled', 'Settled'), ...acceptedBy(input), provisioned],
    },
    event: {
      type: 'Normal',
      reason: doneReason,
      action: input.kind,
      note: `${provisioned.message} Generation ${generation}.`,
    },
  });
}
