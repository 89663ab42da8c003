/**
 * Holds the claim of one cluster to the task queue `pipelines`, on which programs start workflows without naming a
 * cluster. The memo names the cluster: the first that started this run. Cancelling the run frees the queue for the next
 * cluster.
 */
import { condition } from '@temporalio/workflow';
import { goesOn } from './versioning.ts';

export async function keepDoor(): Promise<void> {
  await condition(() => false);
}

goesOn('AUTO_UPGRADE', keepDoor);
