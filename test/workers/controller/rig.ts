/** A real API server and nats-server; Temporal and the lifecycle are played by the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { clusterOf } from '../../../kubernetes/cluster.ts';
import { connectKube, type Kube } from '../../../kubernetes/kube.ts';
import { pathOf, type KubeObject } from '../../../kubernetes/objects.ts';
import { mr } from '../../../model/errors.ts';
import type { PipelineRef, Readiness, Told } from '../../../model/lifecycle.ts';
import { annotations, apiVersion, fieldManagers, finalizer, kind, labels, pidOf } from '../../../model/names.ts';
import type { PipelineStatus } from '../../../model/status.ts';
import { startKubernetes } from '../../../local/parts/kubernetes.ts';
import { startNats } from '../../../local/parts/nats.ts';
import { freePort } from '../../../local/ports.ts';
import { systemClock } from '../../../stream/clock.ts';
import { connectStreams, type Streams } from '../../../stream/connection.ts';
import type { PodReport } from '../../../stream/pod-report.ts';
import { Controller } from '../../../workers/controller/controller.ts';
import type { Engine, OpenEntities } from '../../../workers/controller/engine.ts';
import { installCrd } from '../../support/install-crd.ts';
import { report, stageOf, status } from './facts.ts';

/** Temporal that notes what it is told. */
export class NotingEngine implements Engine {
  readonly told: string[] = [];
  readonly open = new Set<string>();
  isAway = false;

  tell({ name }: PipelineRef, { generation }: Told): Promise<void> {
    return this.#note(`${name} g${generation}`);
  }

  tellCredentialsChanged({ name }: PipelineRef): Promise<void> {
    return this.#note(`${name} credentials`);
  }

  tellDrift({ name }: PipelineRef): Promise<void> {
    return this.#note(`${name} drift`);
  }

  tellRetry({ name }: PipelineRef, requestId: string): Promise<void> {
    return this.#note(`${name} retry ${requestId}`);
  }

  tellReferencedChanged(operation: string): Promise<void> {
    return this.#note(`${operation} may go on`);
  }

  tellReadiness({ name }: PipelineRef, { reason }: Readiness): Promise<void> {
    return this.#note(`${name} is ${reason}`);
  }

  openEntities(): Promise<OpenEntities> {
    return Promise.resolve({ states: new Map([...this.open].map((id) => [id, undefined])), own: [] });
  }

  ping(): Promise<void> {
    return this.isAway ? Promise.reject(mr('MR_ENGINE_UNAVAILABLE', { address: 'test' })) : Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #note(what: string): Promise<void> {
    await this.ping();
    this.told.push(what);
  }
}

export interface RunningController {
  readonly controller: Controller;
  stop(): Promise<void>;
}

export interface Rig {
  readonly kube: Kube;
  readonly streams: Streams;
  readonly natsUrl: string;
  /** Stops it where it stands, and lets it go on. */
  signalNats(signal: 'SIGSTOP' | 'SIGCONT'): void;
  start(options: { engine: Engine; hears: boolean; identity?: string; repairsAtOnce?: number }): RunningController;
  /** A pipeline that was provisioned and runs: resource, status, Deployments with a ready pod, copied credentials. */
  provision(
    name: string,
    some?: { readonly spec?: object; readonly copiedFrom?: string; readonly data?: object },
  ): Promise<Made>;
  stop(): Promise<void>;
}

export interface Made {
  readonly name: string;
  readonly pid: string;
  readonly uid: string;
}

export async function startRig(): Promise<Rig> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-controller-'));
  const kubernetes = await startKubernetes({ dir: join(dir, 'kubernetes'), unsafeNoFsync: true, controllers: false });
  const nats = await startNats({ dir: join(dir, 'nats'), port: await freePort(), monitorPort: await freePort() });
  const kube = connectKube(kubernetes.kubeconfigPath);
  await installCrd(kube);
  const natsUrl = nats.url;
  const streams = await connectStreams({ url: natsUrl, name: 'test' });
  const log = pino({ level: process.env['MILLRACE_TEST_LOG'] ?? 'silent' });
  let controllers = 0;
  return {
    ...{ kube, streams, natsUrl },
    start({ engine, hears, identity = `controller-${controllers++}`, repairsAtOnce = 8 }) {
      const own = connectKube(kubernetes.kubeconfigPath);
      const end = new AbortController();
      const controller = new Controller({
        ...{ kube: own, engine, log, clock: systemClock, random: () => 0.5, sweepMs: 600_000, repairsAtOnce },
        cluster: () => clusterOf(own),
        nats: natsUrl,
        lease: { namespace: 'default', identity },
      });
      if (hears) controller.useStreams(streams);
      const ended = controller.run(end.signal);
      return {
        controller,
        async stop() {
          end.abort();
          await ended;
          own.close();
        },
      };
    },
    signalNats: (signal) => void process.kill(nats.pid, signal),
    provision: (name, some) => provision(kube, name, some),
    async stop() {
      await streams.nc.close();
      kube.close();
      await Promise.all([kubernetes.stop(), nats.stop()]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const spec = {
  sources: [{ name: 'orders', generator: { fields: [{ name: 'id', kind: 'Sequence' }] } }],
  sinks: [{ name: 'warehouse', clickhouse: { url: 'http://127.0.0.1:1', database: 'shop', table: 'orders' } }],
};

async function provision(
  kube: Kube,
  name: string,
  some: { spec?: object; copiedFrom?: string; data?: object } = {},
): Promise<Made> {
  const metadata = { name, namespace: 'default', finalizers: [finalizer] };
  const written = await kube.apply(
    { apiVersion, kind, metadata, spec: { ...spec, ...some.spec } },
    { fieldManager: 'test' },
  );
  const { uid = '' } = written.metadata;
  const owned = {
    [labels.pipeline]: name,
    [labels.pipelineNamespace]: 'default',
    [labels.pipelineUid]: uid,
    [labels.managedBy]: 'millrace',
  };
  for (const stage of Object.values(stageOf))
    await deploy(kube, `${name}-${stage}`, { ...owned, [labels.stage]: stage });
  if (some.copiedFrom !== undefined) {
    await kube.apply(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          ...{ name: `${name}-credentials`, namespace: 'default', labels: owned },
          annotations: { [annotations.copiedFrom]: some.copiedFrom },
        },
        data: some.data ?? {},
      },
      { fieldManager: 'test' },
    );
  }
  await settle(kube, { name, uid, pid: '' }, 1);
  return { name, uid, pid: pidOf(name, uid) };
}

async function deploy(kube: Kube, name: string, labelled: Record<string, string>): Promise<void> {
  const pod = { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'worker', image: 'worker' }] } };
  await kube.apply(
    {
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'default', labels: labelled } },
      spec: { replicas: 1, selector: { matchLabels: { app: name } }, template: pod },
    },
    { fieldManager: 'test' },
  );
  await kube.transport.send({
    ...{ method: 'PATCH', path: pathOf('Deployment', { name, namespace: 'default', subresource: 'status' }) },
    ...{ contentType: 'application/merge-patch+json', what: 'make a Deployment ready' },
    body: { status: { replicas: 1, readyReplicas: 1 } },
  });
}

/** What the lifecycle says of a pipeline whose operation `opSeq` has ended. */
export async function settle(
  kube: Kube,
  { name, uid }: Made,
  opSeq: number,
  some: Partial<PipelineStatus> = {},
): Promise<void> {
  const { stages = [], ...own } = status(some);
  await kube.apply(
    {
      ...{ apiVersion, kind, metadata: { name, namespace: 'default', uid } },
      status: { ...own, opSeq, stages: stages.map(({ name: stage, replicas }) => ({ name: stage, replicas })) },
    },
    { fieldManager: fieldManagers.status, force: true, subresource: 'status' },
  );
}

/** Pods of both stages say how they are. */
export function say({ nc }: Streams, { pid }: Made, sink: Partial<PodReport> = {}): void {
  for (const told of [report('ingestor', { pid }), report('sink', { pid, ...sink })]) {
    const { at: _, ...rest } = told;
    nc.publish(`mr-report.${pid}.${told.stage}.${told.pod}`, JSON.stringify({ ...rest, at: Date.now() }));
  }
}

export function reasonIn(resource: KubeObject, type: string): string {
  const { conditions = [] } = (resource['status'] ?? {}) as PipelineStatus;
  const found = conditions.find((condition) => condition.type === type);
  return found === undefined ? '' : `${found.status} ${found.reason}`;
}
