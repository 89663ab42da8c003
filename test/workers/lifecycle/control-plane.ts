/**
 * The control plane on real parts: etcd, kube-apiserver, kube-controller-manager, Temporal, nats-server, and Millrace's
 * controller and lifecycle worker in this process. No node: `PodFaker` says of every pod that it is ready.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { parse } from 'yaml';
import { z } from 'zod';
import { connectKube, type Kube } from '../../../activities/kubernetes/kube.ts';
import { pathOf, type KubeObject, type Manifest } from '../../../activities/kubernetes/objects.ts';
import { apiVersion, kind } from '../../../crds/names.ts';
import type { PipelineInput } from '../../../crds/pipeline.ts';
import { statusSchema, type PipelineStatus } from '../../../crds/status.ts';
import { startKubernetes } from '../../../deploy/local/parts/kubernetes.ts';
import { startNats } from '../../../deploy/local/parts/nats.ts';
import { startTemporal } from '../../../deploy/local/parts/temporal.ts';
import { freePort } from '../../../deploy/local/ports.ts';
import { connectStreams, type Streams } from '../../../stream/connection.ts';
import { parseControllerConfig } from '../../../workers/controller/config.ts';
import { serveController } from '../../../workers/controller/main.ts';
import { parseLifecycleConfig } from '../../../workers/lifecycle/config.ts';
import { serveLifecycle } from '../../../workers/lifecycle/main.ts';
import { eventually } from '../../support/eventually.ts';

export interface ControlPlane {
  readonly kube: Kube;
  readonly client: Client;
  readonly streams: Streams;
  readonly pods: PodFaker;
  stop(): Promise<void>;
}

export async function startControlPlane(): Promise<ControlPlane> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-cycle-'));
  const [kubernetes, temporal, nats] = await Promise.all([
    startKubernetes({ dir: join(dir, 'kubernetes'), unsafeNoFsync: true, scheduler: false }),
    startTemporal({ dir: join(dir, 'temporal'), port: await freePort(), uiPort: await freePort() }),
    startNats({ dir: join(dir, 'nats'), port: await freePort(), monitorPort: await freePort() }),
  ]);
  const kube = connectKube(kubernetes.kubeconfigPath);
  await installCrd(kube);
  const streams = await connectStreams({ url: nats.url, name: 'test' });
  const connection = await Connection.connect({ address: temporal.address });
  const env = {
    KUBECONFIG: kubernetes.kubeconfigPath,
    MILLRACE_NATS_URL: nats.url,
    MILLRACE_TEMPORAL_ADDRESS: temporal.address,
    MILLRACE_TEMPORAL_UI_URL: temporal.uiUrl,
    MILLRACE_SWEEP_SECONDS: '2',
  };
  const log = pino({ level: process.env['MILLRACE_TEST_LOG'] ?? 'silent' });
  const stopped = new AbortController();
  const pods = new PodFaker(kube, streams);
  const running = Promise.all([
    serveController(parseControllerConfig(env), log, stopped.signal),
    serveLifecycle(parseLifecycleConfig(env), log, stopped.signal),
    pods.run(stopped.signal),
  ]);
  return {
    kube,
    streams,
    pods,
    client: new Client({ connection }),
    async stop() {
      stopped.abort();
      await running;
      await connection.close();
      await streams.nc.close();
      kube.close();
      await Promise.all([kubernetes.stop(), temporal.stop(), nats.stop()]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function installCrd(kube: Kube): Promise<void> {
  const file = new URL('../../../crds/millrace.io_pipelines.yaml', import.meta.url);
  const crd: unknown = parse(await readFile(file, 'utf8'));
  await kube.transport.send({
    method: 'POST',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    body: crd,
    what: 'create the CRD',
  });
  await eventually(async () => (await kube.list(kind)).items.length === 0);
}

/** Stands in for the nodes: pods become ready, and report that they are connected, as worker pods do. */
export class PodFaker {
  readonly #kube: Kube;
  readonly #streams: Streams;
  /** Pods stay Pending while this is set. */
  isHeld = false;

  constructor(kube: Kube, streams: Streams) {
    this.#kube = kube;
    this.#streams = streams;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const pods = await this.#kube.list('Pod');
      for (const pod of pods.items) if (!this.isHeld) await this.#attend(pod);
      await delay(200, undefined, { signal }).catch(() => undefined);
    }
  }

  async #attend(pod: KubeObject): Promise<void> {
    const { name, namespace, labels = {} } = pod.metadata;
    const { success: isReady } = readyPod.safeParse(pod);
    if (!isReady) {
      const at = new Date().toISOString();
      const conditions = ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
        type,
        status: 'True',
        lastTransitionTime: at,
      }));
      await this.#kube.transport
        .send({
          method: 'PATCH',
          path: pathOf('Pod', { name, namespace, subresource: 'status' }),
          contentType: 'application/merge-patch+json',
          body: { status: { phase: 'Running', conditions } },
          what: 'make a pod ready',
        })
        // Deleted meanwhile.
        .catch(() => undefined);
    }
    const stage = labels['millrace.io/stage'] ?? '';
    const pid = (namespace ?? '').replace(/^pipeline-/, '');
    const report = {
      ...{
        pid,
        stage,
        pod: name,
        generation: 1,
        at: Date.now(),
        recordsIn: 0,
        recordsOut: 0,
        deadLetters: 0,
        slots: [],
      },
      kind: stage.startsWith('ingestor-') ? 'ingestor' : 'sink',
      connection: { state: 'Connected', since: Date.now() },
      flow: { state: 'Flowing' },
    };
    this.#streams.nc.publish(`mr-report.${pid}.${stage}.${name}`, JSON.stringify(report));
  }
}

const readyPod = z.looseObject({ status: z.looseObject({ phase: z.literal('Running') }) });

export function pipelineManifest(name: string, spec: Partial<PipelineInput['spec']> = {}): Manifest {
  return {
    apiVersion,
    kind,
    metadata: { name, namespace: 'default' },
    spec: {
      sources: [{ name: 'numbers', generator: generator }],
      sinks: [{ name: 'warehouse', clickhouse }],
      ...spec,
    },
  };
}

const generator = { fields: [{ name: 'id', kind: 'Sequence' }] };
const clickhouse = {
  url: 'http://127.0.0.1:1',
  database: 'shop',
  table: 'orders',
  username: 'app',
  password: '$(secret:ch/password)',
};

export async function statusOf(kube: Kube, name: string): Promise<PipelineStatus & { generation: number }> {
  const resource = await kube.get(kind, name, 'default');
  if (resource === undefined) throw new Error(`there is no pipeline ${name}`);
  return { ...statusSchema.parse(resource['status'] ?? {}), generation: resource.metadata.generation ?? 0 };
}
