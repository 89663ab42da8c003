/**
 * Which cluster serves the task queue `pipelines`.
 *
 * D1  One of the clusters that share a Temporal namespace, so that a program always applies its pipelines in the same
 *     cluster. The others serve only the queue with their own name.
 * D2  Temporal decides, by the id of one open workflow: of two clusters that start together, one is first.
 */
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type Client } from '@temporalio/client';
import { doorTaskQueue, doorWorkflowId, taskQueueOf } from '../../model/workflow-ids.ts';

/** The cluster that serves the queue. Claims it for `cluster` if none does. */
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
