/**
 * Temporal workflow ids and task queues. Apart from `./names.ts`, because workflows may not load node:crypto, which
 * that file needs.
 */
import type { PipelineRef } from './lifecycle.ts';

/** The entity of a pipeline. */
export function entityWorkflowId(namespace: string, name: string, uid: string): string {
  return `pipeline/${namespace}/${name}/${uid}`;
}

/** The pipeline whose entity a workflow id names; undefined: it is not the id of an entity. */
export function pipelineOfEntity(workflowId: string): Pick<PipelineRef, 'namespace' | 'name' | 'uid'> | undefined {
  const [what, namespace = '', name = '', uid = '', ...more] = workflowId.split('/');
  if (what !== 'pipeline' || namespace === '' || name === '' || uid === '' || more.length > 0) return undefined;
  return { namespace, name, uid };
}

/** An operation of the entity: the common prefix finds the whole history of a pipeline. */
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

/**
 * Where programs start `applyPipeline` and `deletePipeline` when they do not say in which cluster: of those that
 * share a Temporal namespace one serves it. The entities of v0.1 are here, too, until they move to the queue of their
 * cluster.
 */
export const doorTaskQueue = 'pipelines';

/** The open workflow that says which one. */
export const doorWorkflowId = 'millrace/door';

/**
 * Task queue of the pipelines of one cluster, named by the uid of its namespace kube-system: a worker that sees another
 * cluster never gets a task of this one, whatever shares the Temporal namespace.
 */
export function taskQueueOf(cluster: string): string {
  return `${doorTaskQueue}-${cluster}`;
}
