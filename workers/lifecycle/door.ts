/**
 * Which cluster serves the task queue `pipelines`.
 *
 * D1  One of those that share a Temporal namespace: a program that applies a pipeline there applies it in one cluster, and
 *     always the same. The others serve the queue of their own name only.
 * D2  Temporal decides, by the id of one workflow that is open: of two that begin together one is first.
 */
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type Client } from '@temporalio/client';
import { doorTaskQueue, doorWorkflowId, taskQueueOf } from '../../model/workflow-ids.ts';

/** The cluster that serves it. */
export async function ownerOfDoor({ workflow }: Pick<Client, 'workflow'>, cluster: string): Promise<string> {
  const handle = await workflow.start('keepDoor', {
    workflowId: doorWorkflowId,
    taskQueue: taskQueueOf(cluster),
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    memo: { cluster },
    staticSummary: `task queue ${doorTaskQueue} is served by cluster ${cluster}`,
  });
  const { memo } = await handle.describe();
  const owner = memo?.['cluster'];
  return typeof owner === 'string' ? owner : cluster;
}
