/** One operation as a child workflow, and its end as data: however it ends, the entity goes on. */
import {
  ChildWorkflowCancellationType,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import { operationWorkflowId } from '../model/workflow-ids.ts';
import { failureOf } from './failure.ts';
import type { OperationInput, OperationResult } from './operation.ts';
import type { Operation, Outcome, PipelineState } from './state.ts';

/** Temporal takes 400 bytes. */
const maxSummary = 300;
const highest = 1;
const interactive = 2;

export async function runChild(state: PipelineState, operation: Operation): Promise<Outcome> {
  const { workflowId, runId } = workflowInfo();
  const { kind, seq, generation, desired, because } = operation;
  const input: OperationInput = {
    pipeline: state.pipeline,
    kind,
    seq,
    generation,
    desired,
    startedAt: state.running?.startedAt ?? '',
    ...(because === undefined ? {} : { because }),
    entity: { id: workflowId, runId },
  };
  try {
    return await executeChild<(input: OperationInput) => Promise<OperationResult>>(kind, {
      workflowId: operationWorkflowId(workflowId, seq, kind, generation),
      args: [input],
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary:
        `${kind} ${state.pipeline.namespace}/${state.pipeline.name} (g${generation})${because === undefined ? '' : `: ${because}`}`.slice(
          0,
          maxSummary,
        ),
      memo: {
        pipeline: `${state.pipeline.namespace}/${state.pipeline.name}`,
        description: state.seen?.description ?? '',
      },
      // Whoever waits for a deletion or a pause is a person in a hurry.
      priority: { priorityKey: kind === 'teardown' || kind === 'pause' ? highest : interactive },
    });
  } catch (error) {
    if (isCancellation(error)) return { is: 'preempted' };
    const failure = failureOf(error);
    if (failure.code === 'MR_GENERATION_SUPERSEDED') return { is: 'superseded', generation: generation + 1 };
    if (failure.code === 'MR_PIPELINE_REPLACED') return { is: 'orphaned' };
    if (failure.code === 'MR_OPERATION_FENCED') return { is: 'fenced' };
    return { is: 'failed', ...failure };
  }
}
