/**
 * Changes as Temporal workflows: `applyPipeline` and `deletePipeline`, startable from any SDK.
 *
 * The workflow goes on when this process ends, and its result says when the pipeline is ready or gone.
 */
import { Client, Connection } from '@temporalio/client';
import type { AppliedPipeline, ApplyPipelineInput } from '../model/lifecycle.ts';
import { doorTaskQueue } from '../model/workflow-ids.ts';
import type { PipelineDefinition } from './define.ts';

export interface TemporalOptions {
  /** host:port. */
  readonly address: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** Default `pipelines`; `pipelines-<uid of kube-system>` where several clusters share the namespace. */
  readonly taskQueue?: string;
  /** Default: no TLS, unless there is an `apiKey`. `true`: with the authorities that Node knows, and no client certificate. */
  readonly tls?: boolean | TemporalTls;
  /** Sent as `Authorization: Bearer`. Default: none. */
  readonly apiKey?: string;
}

/** A certificate or a key in PEM, as text or as the bytes of its file. */
export type Pem = string | Uint8Array;

export interface TemporalTls {
  /** Of the authority that has signed the server's certificate. Default: those that Node knows. */
  readonly serverRootCACertificate?: Pem;
  /** The name in the server's certificate. Default: the host of the address. */
  readonly serverNameOverride?: string;
  /** For a server that asks for a client certificate. Default: none is shown. */
  readonly clientCertPair?: { readonly crt: Pem; readonly key: Pem };
}

export interface WorkflowOptions {
  /** Default: named after the pipeline and the verb, so that the same change does not run twice at once. */
  readonly workflowId?: string;
}

export interface PipelineWorkflows {
  /** Resolves when the pipeline is ready. */
  apply(pipeline: PipelineDefinition, options?: WorkflowOptions): Promise<AppliedPipeline>;
  /** Resolves when everything of it is gone. */
  delete(at: { name: string; namespace?: string }, options?: WorkflowOptions): Promise<void>;
  close(): Promise<void>;
}

type ApplyPipeline = (input: ApplyPipelineInput) => Promise<AppliedPipeline>;
type DeletePipeline = (input: { namespace: string; name: string }) => Promise<void>;

export async function connectWorkflows({
  address,
  namespace = 'default',
  taskQueue = doorTaskQueue,
  apiKey,
  // A key is never sent in the clear.
  tls = apiKey !== undefined,
}: TemporalOptions): Promise<PipelineWorkflows> {
  const connection = await Connection.connect({
    address,
    tls: typeof tls === 'boolean' ? tls : inBuffers(tls),
    ...(apiKey === undefined ? {} : { apiKey }),
  });
  const { workflow } = new Client({ connection, namespace });
  return {
    apply({ metadata, spec }, { workflowId } = {}) {
      return workflow.execute<ApplyPipeline>('applyPipeline', {
        taskQueue,
        workflowId: workflowId ?? `apply/${metadata.namespace}/${metadata.name}`,
        staticSummary: `apply pipeline ${metadata.namespace}/${metadata.name}`,
        args: [
          {
            namespace: metadata.namespace,
            name: metadata.name,
            spec,
            ...(metadata.labels ? { labels: metadata.labels } : {}),
            ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
          },
        ],
      });
    },
    async delete({ name, namespace: where = 'default' }, { workflowId } = {}) {
      await workflow.execute<DeletePipeline>('deletePipeline', {
        taskQueue,
        workflowId: workflowId ?? `delete/${where}/${name}`,
        staticSummary: `delete pipeline ${where}/${name}`,
        args: [{ namespace: where, name }],
      });
    },
    close: () => connection.close(),
  };
}

/** Buffers are Temporal's; a type of Node in our own declarations would ask every project for Node's types. */
function inBuffers({ serverRootCACertificate, clientCertPair, ...rest }: TemporalTls) {
  return {
    ...rest,
    ...(serverRootCACertificate === undefined ? {} : { serverRootCACertificate: Buffer.from(serverRootCACertificate) }),
    ...(clientCertPair === undefined
      ? {}
      : { clientCertPair: { crt: Buffer.from(clientCertPair.crt), key: Buffer.from(clientCertPair.key) } }),
  };
}
