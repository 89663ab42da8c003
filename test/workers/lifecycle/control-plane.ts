/**
 * The control plane on real parts: etcd, kube-apiserver, kube-controller-manager, Temporal, nats-server, and Millrace's
 * controller and lifecycle worker in this process. No node: `PodFaker` says of every pod that it is ready.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { z } from 'zod';
import { connectKube, type Kube } from '../../../kubernetes/kube.ts';
import { pathOf, type KubeObject, type Manifest } from '../../../kubernetes/objects.ts';
import { apiVersion, kind, pidOf } from '../../../model/names.ts';
import type { PipelineInput } from '../../../crds/pipeline.ts';
import { statusSchema } from '../../../crds/status.ts';
import type { PipelineStatus } from '../../../model/status.ts';
import { startKubernetes, type Kubernetes } from '../../../local/parts/kubernetes.ts';
import { startNats } from '../../../local/parts/nats.ts';
import { startTemporal } from '../../../local/parts/temporal.ts';
import { freePort } from '../../../local/ports.ts';
import { connectStreams, type Streams } from '../../../stream/connection.ts';
import { parseControllerConfig } from '../../../workers/controller/config.ts';
import { serveController } from '../../../workers/controller/main.ts';
import { parseLifecycleConfig } from '../../../workers/lifecycle/config.ts';
import { serveLifecycle } from '../../../workers/lifecycle/main.ts';
import { installCrd } from '../../support/install-crd.ts';

/** What a test may take away for a while, and give back. */
export interface Part {
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface ControlPlane {
  readonly kube: Kube;
  readonly client: Client;
  readonly streams: Streams;
  readonly pods: PodFaker;
  readonly controller: Part;
  /** Beside the first; not running at first. */
  readonly secondController: Part;
  readonly lifecycle: Part;
  readonly temporal: Part;
  readonly nats: Part;
  /** `/metrics` of a process. */
  metricsOf(process: 'controller' | 'secondController' | 'lifecycle'): Promise<string>;
  /** For another process of the control plane. */
  readonly env: Readonly<Record<string, string>>;
  /** A directory that ends with the control plane. */
  readonly dir: string;
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  /** Further variables of a process, such as another kubeconfig. Asked when the API server knows the kind. */
  readonly variables?: (at: {
    readonly kubernetes: Kubernetes;
    readonly dir: string;
  }) => Promise<(process: 'controller' | 'lifecycle') => Readonly<Record<string, string>>>;
}

export async function startControlPlane({ variables }: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-cycle-'));
  const temporalAt = { dir: join(dir, 'temporal'), port: await freePort(), uiPort: await freePort() };
  const natsAt = { dir: join(dir, 'nats'), port: await freePort(), monitorPort: await freePort() };
  const kubernetes = await startKubernetes({ dir: join(dir, 'kubernetes'), unsafeNoFsync: true, scheduler: false });
  const temporal = part(() => startTemporal(temporalAt));
  const nats = part(() => startNats(natsAt));
  await Promise.all([temporal.start(), nats.start()]);
  const kube = connectKube(kubernetes.kubeconfigPath);
  await installCrd(kube);
  const natsUrl = `nats://127.0.0.1:${natsAt.port}`;
  const address = `127.0.0.1:${temporalAt.port}`;
  const streams = await connectStreams({ url: natsUrl, name: 'test' });
  const connection = await Connection.connect({ address });
  const env = {
    KUBECONFIG: kubernetes.kubeconfigPath,
    MILLRACE_NATS_URL: natsUrl,
    MILLRACE_TEMPORAL_ADDRESS: address,
    MILLRACE_TEMPORAL_UI_URL: `http://127.0.0.1:${temporalAt.uiPort}`,
    MILLRACE_SWEEP_SECONDS: '2',
  };
  const log = pino({ level: process.env['MILLRACE_TEST_LOG'] ?? 'silent' });
  const pods = new PodFaker(kube, streams);
  const health = {
    controller: `127.0.0.1:${await freePort()}`,
    secondController: `127.0.0.1:${await freePort()}`,
    lifecycle: `127.0.0.1:${await freePort()}`,
  };
  const further = (await variables?.({ kubernetes, dir })) ?? (() => ({}));
  const listening = (process: 'controller' | 'lifecycle', at: string) => ({
    ...env,
    ...further(process),
    MILLRACE_HEALTH_LISTEN: at,
  });
  const controllerAt = (at: string) =>
    inProcess((signal) => serveController(parseControllerConfig(listening('controller', at)), log, signal));
  const controller = controllerAt(health.controller);
  const secondController = controllerAt(health.secondController);
  const lifecycle = inProcess((signal) =>
    serveLifecycle(parseLifecycleConfig(listening('lifecycle', health.lifecycle)), log, signal),
  );
  const faker = inProcess((signal) => pods.run(signal));
  await Promise.all([controller.start(), lifecycle.start(), faker.start()]);
  return {
    ...{ kube, streams, pods, controller, secondController, lifecycle, temporal, nats, env, dir },
    client: new Client({ connection }),
    metricsOf: async (process) => (await fetch(`http://${health[process]}/metrics`)).text(),
    async stop() {
      await Promise.all([controller.stop(), secondController.stop(), lifecycle.stop(), faker.stop()]);
      await connection.close();
      await streams.nc.close();
      kube.close();
      await Promise.all([kubernetes.stop(), temporal.stop(), nats.stop()]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function part(start: () => Promise<{ stop(): Promise<void> }>): Part {
  let running: { stop(): Promise<void> } | undefined;
  return {
    async start() {
      running ??= await start();
    },
    async stop() {
      await running?.stop();
      running = undefined;
    },
  };
}

function inProcess(serve: (signal: AbortSignal) => Promise<void>): Part {
  return part(() => {
    const stopped = new AbortController();
    const ended = serve(stopped.signal);
    return Promise.resolve({
      stop: () => {
        stopped.abort();
        return ended.catch((error: unknown) => {
          if (!stopped.signal.aborted) throw error;
        });
      },
    });
  });
}

/** Stands in for the nodes: pods become ready, and report that they are connected, as worker pods do. */
export class PodFaker {
  readonly #kube: Kube;
  readonly #streams: Streams;
  /** Pods stay Pending while this is set. */
  isHeld = false;
  /** What sinks report as their connection. */
  sinkConnection: object = { state: 'Connected', since: 0 };

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

  /** The container of a pod has died again, and its pod still has reported a moment ago that all is well. */
  async crash(name: string, namespace: string): Promise<void> {
    const state = { waiting: { reason: 'CrashLoopBackOff' } };
    const lastState = { terminated: { exitCode: 1, message: 'no such table' } };
    const container = { name: 'worker', image: 'x', imageID: 'x', ready: false, restartCount: 3, state, lastState };
    const at = new Date().toISOString();
    const conditions = [{ type: 'Ready', status: 'False', lastTransitionTime: at }];
    await this.#kube.transport.send({
      method: 'PATCH',
      path: pathOf('Pod', { name, namespace, subresource: 'status' }),
      contentType: 'application/merge-patch+json',
      body: { status: { phase: 'Running', conditions, containerStatuses: [container] } },
      what: 'make a pod crash',
    });
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
    const pid = pidOf(labels['millrace.io/pipeline'] ?? '', labels['millrace.io/pipeline-uid'] ?? '');
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
      connection: stage.startsWith('sink-') ? this.sinkConnection : { state: 'Connected', since: 0 },
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
