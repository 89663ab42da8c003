/** Temporal workflow ids. Apart from `./names.ts`, because workflows may not load node:crypto, which that file needs. */

/** The entity of a pipeline. */
export function entityWorkflowId(namespace: string, name: string, uid: string): string {
  return `pipeline/${namespace}/${name}/${uid}`;
}

/** An operation of the entity: the prefix finds the whole story of a pipeline. */
export function operationWorkflowId(entityId: string, seq: number, operation: string, generation: number): string {
  return `${entityId}/op/${seq}-${operation}-g${generation}`;
}

/** Where Temporal UI shows a run. */
export function workflowUrl(
  { uiUrl, namespace }: { readonly uiUrl: string; readonly namespace: string },
  workflowId: string,
  runId: string,
): string {
  return `${uiUrl.replace(/\/$/, '')}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}/${runId}`;
}

/** Task queue of all workflows and activities of the lifecycle; programs start `applyPipeline` on it. */
export const lifecycleTaskQueue = 'pipelines';
