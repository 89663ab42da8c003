/** Runs one operation as a child workflow and returns its end as data: however it ends, the entity continues. */
import { TypedSearchAttributes, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import { operationTable, type OperationKind } from '../model/operations.ts';
import { cut } from '../model/text.ts';
import { operationWorkflowId } from '../model/workflow-ids.ts';
import { failureOf } from './failure.ts';
import type { OperationInput } from './operation.ts';
import type * as operations from './operations.ts';
import { searchAttributesOf } from './search-attributes.ts';
import type { Operation, Outcome, PipelineState } from './state.ts';

/** Temporal takes 400 bytes. */
const maxSummary = 300;

/** The exports of `./operations.ts`, one for each kind of the table. */
type OperationWorkflow = (typeof operations)[OperationKind];

export async function runChild(state: PipelineState, operation: Operation): Promise<Outcome> {
  const { workflowId, runId } = workflowInfo();
  const { pipeline } = state;
  const { kind, seq, generation, desired, because, refused } = operation;
  const input: OperationInput = {
    pipeline,
    kind,
    seq,
    generation,
    desired,
    startedAt: state.running?.startedAt ?? '',
    ...(because === undefined ? {} : { because }),
    ...(refused === undefined ? {} : { refused }),
    entity: { id: workflowId, runId },
  };
  const name = `${pipeline.namespace}/${pipeline.name}`;
  const summary = `${kind} ${name} (g${generation})${because === undefined ? '' : `: ${because}`}`;
  try {
    return await executeChild<OperationWorkflow>(kind, {
      workflowId: operationWorkflowId(workflowId, seq, kind, generation),
      args: [input],
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: cut(summary, maxSummary),
      memo: { pipeline: name, description: state.seen?.description ?? '' },
      typedSearchAttributes: new TypedSearchAttributes(searchAttributesOf(state, operationTable[kind].phase)),
      priority: { priorityKey: operationTable[kind].priority },
    });
  } catch (error) {
    return outcomeOf(error, state, generation);
  }
}

function outcomeOf(error: unknown, { version }: PipelineState, generation: number): Outcome {
  if (isCancellation(error)) return { is: 'preempted' };
  if (error instanceof WorkflowExecutionAlreadyStartedError) return { is: 'occupied' };
  const failure = failureOf(error);
  // The operation has read a spec that is refused.
  if (failure.read !== undefined && version === 2) return { is: 'superseded', generation: failure.read.generation };
  switch (failure.code) {
    case 'MR_PIPELINE_BEING_DELETED':
      return version === 1 ? { is: 'preempted' } : { is: 'overtaken' };
    case 'MR_GENERATION_SUPERSEDED':
      // v0.1 took a late error of this kind for "nothing was done" as well.
      return version === 1 ? { is: 'superseded', generation: generation + 1 } : { is: 'overtaken' };
    case 'MR_PIPELINE_REPLACED':
      return { is: 'orphaned' };
    case 'MR_PIPELINE_NOT_DELETED':
      return { is: 'notDeleted' };
    case 'MR_OPERATION_FENCED':
      return { is: 'fenced', newer: failure.newer ?? 0 };
    default:
      return { is: 'failed', code: failure.code, message: failure.message };
  }
}
