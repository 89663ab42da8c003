/**
 * Says which cluster serves the task queue `pipelines`, where programs start workflows without knowing of clusters: the one
 * that has started this run first, by its memo. It waits until it is cancelled, which gives the queue to who asks next.
 */
import { condition } from '@temporalio/workflow';
import { goesOn } from './versioning.ts';

export async function keepDoor(): Promise<void> {
  await condition(() => false);
}

goesOn('AUTO_UPGRADE', keepDoor);
