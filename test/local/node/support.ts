/** A Kubernetes API with one local node, and the few verbs the node's tests need. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { resolveBinary } from '../../../local/binaries/resolve.ts';
import { processesWithEnv } from '../../../local/node/identity.ts';
import { isNotFound, openKube, type Kube } from '../../../local/node/kube.ts';
import { freePort } from '../../../local/ports.ts';
import { isSameProcess, type ProcessIdentity } from '../../../local/process-identity.ts';
import { startKubernetes, type Kubernetes } from '../../../local/parts/kubernetes.ts';
import { eventually } from '../../support/eventually.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../../local/node/main.ts', import.meta.url));

const terminated = z.object({
  exitCode: z.number(),
  reason: z.string(),
  message: z.string().optional(),
});
const state = z.object({
  running: z.object({ startedAt: z.string() }).optional(),
  waiting: z.object({ reason: z.string(), message: z.string().optional() }).optional(),
  terminated: terminated.optional(),
});
const containerStatus = z.object({
  name: z.string(),
  ready: z.boolean(),
  restartCount: z.number(),
  state,
  lastState: state,
});
const podShape = z.object({
  metadata: z.object({ name: z.string(), uid: z.string(), deletionTimestamp: z.string().optional() }),
  status: z.object({
    phase: z.string().optional(),
    podIP: z.string().optional(),
    reason: z.string().optional(),
    conditions: z
      .array(
        z.object({
          type: z.string(),
          status: z.string(),
          reason: z.string().optional(),
          lastTransitionTime: z.string().nullish(),
        }),
      )
      .default([]),
    containerStatuses: z.array(containerStatus).default([]),
    initContainerStatuses: z.array(containerStatus).default([]),
  }),
});
export type SeenPod = z.infer<typeof podShape>;
const podList = z.object({ items: z.array(podShape) });

export interface Cluster {
  readonly kubernetes: Kubernetes;
  readonly kube: Kube;
  readonly dir: string;
  readonly dataDir: string;
  /** The node's process; replaced by {@link Cluster.startNode}. */
  node: ChildProcess;
  startNode(): Promise<void>;
  stop(): Promise<void>;
}

/** For all tests of a `describe`, which calls this: a cluster given to `use` before the first one. */
export function withCluster(use: (cluster: Cluster) => void): void {
  let cluster: Cluster | undefined;
  before(async function () {
    cluster = await startCluster('--backoff-base=200');
    use(cluster);
  });
  after(() => cluster?.stop());
}

/** The node runs as a process of its own, as in the local stack, so that it can be killed. */
export async function startCluster(...flags: readonly string[]): Promise<Cluster> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-node-test-'));
  const kubernetes = await startKubernetes({ dir: join(dir, 'kubernetes'), unsafeNoFsync: true });
  const kube = openKube(kubernetes.kubeconfigPath);
  const dataDir = join(dir, 'node');
  const port = await freePort();
  const launch = () => {
    const child = spawn(
      process.execPath,
      [main, `--kubeconfig=${kubernetes.kubeconfigPath}`, `--data-dir=${dataDir}`, `--kubelet-port=${port}`, ...flags],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    return child;
  };
  const cluster: Cluster = {
    kubernetes,
    kube,
    dir,
    dataDir,
    node: launch(),
    async startNode() {
      cluster.node = launch();
      // The API may still show what the node before has written: this one is up when it answers itself.
      await eventually(() => answersHealth(port));
      await nodeIsReady(kube);
    },
    async stop() {
      await end(cluster.node, 'SIGTERM');
      kube.close();
      await kubernetes.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  await nodeIsReady(kube);
  return cluster;
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

async function answersHealth(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const request = https.get({ host: '127.0.0.1', port, path: '/healthz', rejectUnauthorized: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    request.once('error', () => resolve(false));
  });
}

async function nodeIsReady(kube: Kube): Promise<void> {
  const shape = z.object({ spec: z.object({ taints: z.array(z.unknown()).optional() }) });
  await eventually(async () => {
    const node = shape.parse(await kube.json({ path: '/api/v1/nodes/local' }));
    if ((node.spec.taints ?? []).length > 0) throw new Error('the node is tainted');
  });
}

export interface PodParts {
  readonly name: string;
  readonly container?: object;
  readonly spec?: object;
}

/** A container that says hello and waits to be ended, unless `container` says otherwise. */
export function podManifest({ name, container, spec }: PodParts): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 2,
      containers: [{ name: 'main', image: 'none', command: ['sh', '-c', 'echo hello; exec sleep 1000'], ...container }],
      ...spec,
    },
  };
}

const pods = '/api/v1/namespaces/default/pods';

export async function createPod(kube: Kube, parts: PodParts): Promise<void> {
  await kube.json({ method: 'POST', path: pods, body: podManifest(parts) });
}

export async function createObject(kube: Kube, plural: string, object: object): Promise<void> {
  const group = plural === 'deployments' ? '/apis/apps/v1' : plural === 'jobs' ? '/apis/batch/v1' : '/api/v1';
  await kube.json({ method: 'POST', path: `${group}/namespaces/default/${plural}`, body: object });
}

export async function getPod(kube: Kube, name: string): Promise<SeenPod> {
  return podShape.parse(await kube.json({ path: `${pods}/${name}` }));
}

export async function listPods(kube: Kube, selector: string): Promise<readonly SeenPod[]> {
  return podList.parse(await kube.json({ path: `${pods}?labelSelector=${encodeURIComponent(selector)}` })).items;
}

export async function deletePod(kube: Kube, name: string, query = ''): Promise<void> {
  await kube.json({ method: 'DELETE', path: `${pods}/${name}${query}` });
}

/** Waits until the pod is as `claim` says. The error shows the status that it had. */
export async function podBecomes(kube: Kube, name: string, claim: (pod: SeenPod) => boolean): Promise<SeenPod> {
  return await eventually(async () => {
    const pod = await getPod(kube, name);
    if (!claim(pod)) throw new Error(`pod ${name} is ${JSON.stringify(pod.status)}`);
    return pod;
  });
}

export async function podIsGone(kube: Kube, name: string): Promise<void> {
  await eventually(async () => {
    try {
      await getPod(kube, name);
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    throw new Error(`pod ${name} is still there`);
  });
}

export function isReady(pod: SeenPod): boolean {
  return pod.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** When readiness last changed. */
export function readySince(pod: SeenPod): string | null | undefined {
  return pod.status.conditions.find(({ type }) => type === 'Ready')?.lastTransitionTime;
}

export const mainStatus = (pod: SeenPod) => pod.status.containerStatuses[0];

/** The pod's processes: the shim first, then what the container runs. */
export async function processesOf(pod: SeenPod, restarts = 0, container = 'main'): Promise<readonly ProcessIdentity[]> {
  const all = await processesWithEnv(`MILLRACE_NODE_RUN=${pod.metadata.uid}/${container}/${restarts}`);
  return all.toSorted((a, b) => a.pid - b.pid);
}

export async function areGone(processes: readonly ProcessIdentity[]): Promise<boolean> {
  const alive = await Promise.all(processes.map(isSameProcess));
  return !alive.includes(true);
}

export async function kubectl(cluster: Cluster, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(await resolveBinary('kubectl'), [
    `--kubeconfig=${cluster.kubernetes.kubeconfigPath}`,
    ...args,
  ]);
  return stdout;
}

/** What `kubectl logs -f` of a pod has printed so far, and a promise of its end. */
export async function followLogs(
  cluster: Cluster,
  pod: string,
): Promise<{ readonly text: () => string; readonly ended: Promise<unknown> }> {
  const kubeconfig = `--kubeconfig=${cluster.kubernetes.kubeconfigPath}`;
  const follower = spawn(await resolveBinary('kubectl'), [kubeconfig, 'logs', '-f', pod]);
  let text = '';
  follower.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { text: () => text, ended: once(follower, 'close') };
}
