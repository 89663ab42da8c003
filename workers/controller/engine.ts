/** Temporal as the controller uses it: tell an entity, and list those that are open. Connects at the first need. */
import { Client, Connection, ServiceError, WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/client';
import { mr } from '../../model/errors.ts';
import type { PipelineRef, Told } from '../../model/lifecycle.ts';
import { entityWorkflowId, taskQueueOf } from '../../model/workflow-ids.ts';

export interface Engine {
  /** Starts the entity if there is none. Throws MR_ENGINE_UNAVAILABLE. */
  tell(pipeline: PipelineRef, what: Told): Promise<void>;
  tellCredentialsChanged(pipeline: PipelineRef): Promise<void>;
  /** `what`: a sentence for people. */
  tellDrift(pipeline: PipelineRef, what: string): Promise<void>;
  /** Workflow ids of all open entities. */
  openEntities(): Promise<Set<string>>;
  /** Whether it answers. Throws MR_ENGINE_UNAVAILABLE. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

const requestTimeoutMs = 10_000;

export interface EngineOptions {
  readonly address: string;
  readonly namespace: string;
  /** The cluster of the pipelines (`kubernetes/cluster.ts`), asked for at the first telling. */
  readonly cluster: () => Promise<string>;
}

export function temporalEngine({ address, namespace, cluster }: EngineOptions): Engine {
  const connection = Connection.lazy({ address, connectTimeout: '2s' });
  const client = new Client({ connection, namespace });

  async function asking<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await connection.withDeadline(Date.now() + requestTimeoutMs, ask);
    } catch (error) {
      if (error instanceof ServiceError || isUnreachable(error))
        throw mr('MR_ENGINE_UNAVAILABLE', { address }, { cause: error });
      throw error;
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

    openEntities: () =>
      asking(async () => {
        const open = new Set<string>();
        const query = `WorkflowType = 'pipelineLifecycle' AND ExecutionStatus = 'Running'`;
        for await (const { workflowId } of client.workflow.list({ query })) open.add(workflowId);
        return open;
      }),

    async ping() {
      await asking(() => client.workflowService.getSystemInfo({}));
    },

    close: () => connection.close(),
  };
}

/** The lazy connection fails with a plain Error when it cannot be made in time. */
function isUnreachable(error: unknown): boolean {
  return error instanceof Error && /connect|UNAVAILABLE|DEADLINE/i.test(error.message);
}
