/** What a person is told who changes a pipeline that is going. Kubernetes accepts the change, and nothing comes of it. */
import type { StoredMetadata } from '../model/stored-pipeline.ts';
import { say } from './output.ts';

export function warnIfBeingDeleted({ name, deletionTimestamp }: StoredMetadata): void {
  if (deletionTimestamp === undefined) return;
  say(`pipeline/${name} is being deleted: it takes nothing on any more. Apply it again when it is gone.`);
}
