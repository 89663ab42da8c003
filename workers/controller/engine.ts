/** Temporal as the controller uses it: notifies entities, and lists the open ones. Connects when first used. */
import {
  Client,
  Connection,
  isGrpcServiceError,
  ServiceError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { mr } from '../../model/errors.ts';
import type { PipelineRef, Readiness, Told } from '../../model/lifecycle.ts';
import { doorTaskQueue, entityWorkflowId, pipelineOfEntity, taskQueueOf } from '../../model/workflow-ids.ts';
import { temporalConnection, type TemporalAt } from '../process/temporal.ts';

export interface Engine {
  /** Starts the entity if there is none. Throws MR_ENGINE_UNAVAILABLE. */
  tell(pipeline: PipelineRef, what: Told): Promise<void>;
  tellCredentialsChanged(pipeline: PipelineRef): Promise<void>;
  /** `what`: a sentence for people. */
  tellDrift(pipeline: PipelineRef, what: string): Promise<void>;
  /** Asks for a retry of what failed or was refused; the same id twice is one request. */
  tellRetry(pipeline: PipelineRef, requestId: string): Promise<void>;
  /** Something changed that the operation with this workflow id may wait for. No effect if it has ended. */
  tellReferencedChanged(operation: string): Promise<void>;
  /** No effect if the entity has ended. */
  tellReadiness(pipeline: PipelineRef, readiness: Readiness): Promise<void>;
  openEntities(): Promise<OpenEntities>;
  /** Whether it answers. Throws MR_ENGINE_UNAVAILABLE. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenEntities {
  /**
   * The state that each shows (search attribute `PipelineState`), by workflow id; undefined: none yet. Includes
   * entities that v0.1 started and that have not moved to the queue of their cluster.
   */
  readonly states: ReadonlyMap<string, string | undefined>;
  /** Pipelines whose entities are on the queue of this cluster. */
  readonly own: readonly Pick<PipelineRef, 'namespace' | 'name' | 'uid'>[];
}

const requestTimeoutMs = 10_000;
const pageSize = 1_000;
/** `workflows/search-attributes.ts`. */
const shownState = 'PipelineState';

export interface EngineOptions extends TemporalAt {
  /** The cluster of the pipelines (`kubernetes/cluster.ts`), looked up at the first notification. */
  readonly cluster: () => Promise<string>;
}

/** Throws MR_ACCESS_INVALID. */
export function temporalEngine({ cluster, ...at }: EngineOptions): Engine {
  const { address, namespace } = at;
  const connection = Connection.lazy({ ...temporalConnection(at), connectTimeout: '2s' });
  const client = new Client({ connection, namespace });

  async function asking<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await connection.withDeadline(Date.now() + requestTimeoutMs, ask);
    } catch (error) {
      if (isUnavailable(error)) throw mr('MR_ENGINE_UNAVAILABLE', { address }, { cause: error });
      throw error;
    }
  }

  async function ifThere(workflowId: string, signal: string, args: readonly unknown[]): Promise<void> {
    try {
      await asking(() => client.workflow.getHandle(workflowId).signal(signal, ...args));
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  const start = (pipeline: PipelineRef, at: string) => ({
    taskQueue: taskQueueOf(at),
    workflowId: entityWorkflowId(pipeline.namespace, pipeline.name, pipeline.uid),
    args: [{ pipeline: { ...pipeline, cluster: at } }],
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    memo: { pipeline: `${pipeline.namespace}/${pipeline.name}` },
    staticSummary: `pipeline ${pipeline.namespace}/${pipeline.name}`,
  });

  return {
    async tell(pipeline, what) {
      const at = await cluster();
      await asking(() =>
        client.workflow.signalWithStart('pipelineLifecycle', {
          ...start(pipeline, at),
          signal: 'specChanged',
          signalArgs: [{ ...what, cluster: at }],
        }),
      );
    },

    async tellCredentialsChanged(pipeline) {
      const at = await cluster();
      await asking(() =>
        client.workflow.signalWithStart('pipelineLifecycle', { ...start(pipeline, at), signal: 'credentialsChanged' }),
      );
    },

    async tellDrift(pipeline, what) {
      const at = await cluster();
      await asking(() =>
        client.workflow.signalWithStart('pipelineLifecycle', {
          ...start(pipeline, at),
          signal: 'driftDetected',
          signalArgs: [{ what }],
        }),
      );
    },

    async tellRetry(pipeline, requestId) {
      const at = await cluster();
      await asking(() =>
        client.workflow.signalWithStart('pipelineLifecycle', {
          ...start(pipeline, at),
          signal: 'retryRequested',
          signalArgs: [{ requestId }],
        }),
      );
    },

    tellReferencedChanged: (operation) => ifThere(operation, 'referencedChanged', []),

    tellReadiness: ({ namespace: at, name, uid }, readiness) =>
      ifThere(entityWorkflowId(at, name, uid), 'readinessChanged', [readiness]),

    async openEntities() {
      const queue = taskQueueOf(await cluster());
      const query = `WorkflowType = 'pipelineLifecycle' AND ExecutionStatus = 'Running' AND (TaskQueue = '${queue}' OR TaskQueue = '${doorTaskQueue}')`;
      const states = new Map<string, string | undefined>();
      const own: OpenEntities['own'][number][] = [];
      let nextPageToken = new Uint8Array();
      do {
        // Not `client.workflow.list`: it decodes memo and search attributes of ten thousand entities, which are not
        // needed.
        const page = await asking(() =>
          connection.workflowService.listWorkflowExecutions({ namespace, query, pageSize, nextPageToken }),
        );
        for (const { execution, taskQueue, searchAttributes } of page.executions) {
          const id = execution?.workflowId ?? '';
          const pipeline = pipelineOfEntity(id);
          states.set(id, keywordIn(searchAttributes?.indexedFields?.[shownState]?.data));
          if (pipeline !== undefined && taskQueue === queue) own.push(pipeline);
        }
        nextPageToken = new Uint8Array(page.nextPageToken);
      } while (nextPageToken.length > 0);
      return { states, own };
    },

    async ping() {
      await asking(() => client.workflowService.getSystemInfo({}));
    },

    close: () => connection.close(),
  };
}

/** The value of a keyword attribute, which is a JSON string; undefined when there is none. */
function keywordIn(data: Uint8Array | null | undefined): string | undefined {
  if (data == null || data.length === 0) return undefined;
  const value: unknown = JSON.parse(Buffer.from(data).toString('utf8'));
  return typeof value === 'string' ? value : undefined;
}

/** The client wraps errors of gRPC in a ServiceError; direct calls of the service throw them as they are. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof ServiceError || isGrpcServiceError(error);
}
