/**
 * The local node: what kubelet does, minus containers.
 *
 * G1  A pod bound to this node runs as host processes until it is deleted; then nothing of it is left.
 * G2  If this process dies, the pods' processes keep running; the next node with the same data directory finds them and
 *     continues to supervise them. None is duplicated or forgotten, even when pods were deleted meanwhile.
 * G3  `stop` ends all processes and leaves the pods in the API: they start again with the next node.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { watchKept, watchObjects } from '../../kubernetes/watch.ts';
import { problemOf } from '../../model/errors.ts';
import { openAddressBook, sharedAddress } from './addresses.ts';
import { localBackoff, type Backoff } from './backoff.ts';
import { defaultMaxLogBytes } from './container-log.ts';
import type { NodeContext, NodeLog } from './context.ts';
import { claimDataDir } from './data-dir.ts';
import { openKube, refusalOf, type Kube } from './kube.ts';
import { startKubeletServer, type FindLog } from './kubelet-server.ts';
import { claimNetwork } from './network.ts';
import { podSchema, type Pod } from './pod.ts';
import { eventRecorder } from './pod-events.ts';
import { PodWorkers } from './pod-workers.ts';
import { heartbeat, register, type NodeIdentity } from './registration.ts';
import { writeMillraceShim } from '../millrace-shim.ts';
import { openSources } from './sources.ts';
import { referenceKey } from './volumes.ts';

export interface NodeOptions {
  readonly kubeconfig: string;
  /**
   * Pods' directories, logs and addresses; the node's own. Readable by its owner only, because Secrets are mounted
   * here.
   */
  readonly dataDir: string;
  /** Default `local`. */
  readonly name?: string;
  /** Of the kubelet's HTTPS port. Default: a free one. */
  readonly kubeletPort?: number;
  /** Within 127.0.0.0/8. Default: 127.x.0.0/16, with an x that no other node of this machine has. */
  readonly podNetwork?: string;
  /** First on every container's PATH; the node writes `millrace` into it. Default `<dataDir>/bin`. */
  readonly shimDir?: string;
  readonly backoff?: Backoff;
  /** Of one log file; there are at most two a run. Default 20 MiB. */
  readonly maxLogBytes?: number;
  /** How long `stop` lets pods end, at most. Default 30 s. */
  readonly shutdownGraceMs?: number;
  readonly capacity?: NodeIdentity['capacity'];
  readonly log?: NodeLog;
  /** Aborted while the API has not answered yet: {@link startNode} ends the processes it found, and throws. */
  readonly signal?: AbortSignal;
}

export interface LocalNode {
  readonly name: string;
  readonly kubeletPort: number;
  /** G3. */
  stop(): Promise<void>;
}

export const defaultCapacity: NodeIdentity['capacity'] = { cpu: '256', memory: '1Ti', pods: '500' };

const silent: NodeLog = { info: () => undefined, warn: () => undefined };

/**
 * Resolves when the Node object is in the API with its status, however long that takes. Throws when the data
 * directory or the port is in use, or when the API refuses the Node.
 */
export async function startNode(options: NodeOptions): Promise<LocalNode> {
  const name = options.name ?? 'local';
  const dataDir = resolve(options.dataDir);
  const log = options.log ?? silent;
  const stack = new AsyncDisposableStack();
  try {
    const claim = await claimDataDir(dataDir);
    stack.defer(() => claim.release());
    const kube = openKube(options.kubeconfig);
    stack.defer(() => kube.close());
    const context = await makeContext(options, { name, dataDir, log, kube, stack });
    const workers = new PodWorkers(context);
    stack.defer(() => workers.close());
    // G2: at once, not only when the API answers.
    workers.adopt(await podsOnDisk(workers.podsDir));
    const server = await startKubeletServer(options.kubeletPort ?? 0, findLogIn(workers));
    stack.defer(() => server.close());

    const since = Date.now();
    const ended = new AbortController();
    const identity = { name, kubeletPort: server.port, capacity: options.capacity ?? defaultCapacity };
    await untilAnswered(
      () => register(kube, identity, since),
      (error) => log.warn({ error: problemOf(error) }, 'the API does not answer yet'),
      options.signal,
    );
    const loops = startLoops(context, workers, identity, since, ended.signal);
    stack.defer(async () => {
      await workers.close();
      ended.abort();
      await loops;
    });
    log.info({ node: name, kubeletPort: server.port }, 'node is registered');
    const owned = stack.move();
    return { name, kubeletPort: server.port, stop: () => owned.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

interface Parts {
  readonly name: string;
  readonly dataDir: string;
  readonly log: NodeLog;
  readonly kube: Kube;
  readonly stack: AsyncDisposableStack;
}

async function makeContext(options: NodeOptions, { name, dataDir, log, kube, stack }: Parts): Promise<NodeContext> {
  const shimDir = resolve(options.shimDir ?? join(dataDir, 'bin'));
  await writeMillraceShim(shimDir);
  return {
    nodeName: name,
    podsDir: join(dataDir, 'pods'),
    shimDir,
    hostEnv: process.env,
    kube,
    addresses: await openAddresses(options.podNetwork, dataDir, stack),
    sources: openSources(kube),
    backoff: options.backoff ?? localBackoff,
    maxLogBytes: options.maxLogBytes ?? defaultMaxLogBytes,
    shutdownGraceMs: options.shutdownGraceMs ?? 30_000,
    event: eventRecorder(kube, name, (error) => log.warn({ error: problemOf(error) }, 'event not written')),
    log,
  };
}

async function openAddresses(podNetwork: string | undefined, dataDir: string, stack: AsyncDisposableStack) {
  if (process.platform !== 'linux') return sharedAddress();
  const file = join(dataDir, 'addresses.json');
  if (podNetwork !== undefined) return await openAddressBook(file, podNetwork);
  const network = await claimNetwork(dataDir, tmpdir());
  stack.defer(() => network.release());
  return await openAddressBook(file, network.cidr);
}

/** Runs everything until `signal` aborts. */
async function startLoops(
  { kube, log }: NodeContext,
  workers: PodWorkers,
  identity: NodeIdentity,
  since: number,
  signal: AbortSignal,
): Promise<void> {
  const onTrouble = (what: string) => (error: unknown) => log.warn({ error: problemOf(error) }, what);
  const watching = { signal, retryMs: 100, maxRetryMs: 5_000, silenceMs: 90_000 };
  const pods = watchKept(kube.byKind, {
    ...watching,
    kind: 'Pod',
    fields: { 'spec.nodeName': identity.name },
    keep: (object) => podSchema.parse(object),
    onList: (listed) => workers.replace(listed),
    onChange: (change, pod) => (change === 'deleted' ? workers.gone(pod) : workers.update(pod)),
    onError: onTrouble('watch of pods broke'),
  });
  const references = (['ConfigMap', 'Secret'] as const).map((kind) => {
    const changed = ({ metadata: { namespace = '', name } }: KubeObject) =>
      workers.referenceChanged(referenceKey(kind, namespace, name));
    return watchObjects(kube.byKind, {
      ...watching,
      kind,
      metadataOnly: true,
      onList: (objects) => objects.forEach(changed),
      onChange: (_change, object) => changed(object),
      onError: onTrouble(`watch of ${kind}s broke`),
    });
  });
  const beats = heartbeat(kube, identity, since, signal, onTrouble('heartbeat not written'));
  await Promise.all([pods, ...references, beats]);
}

/** A starting API server refuses connections, or some requests; a refusal of this node is final. */
async function untilAnswered(
  action: () => Promise<void>,
  onTrouble: (error: unknown) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    try {
      await action();
      return;
    } catch (error) {
      if ([400, 401, 422].some((final) => final === refusalOf(error))) throw error;
      onTrouble(error);
      await delay(250, undefined, signal ? { signal } : {});
    }
  }
}

async function podsOnDisk(podsDir: string): Promise<Pod[]> {
  const found: Pod[] = [];
  for (const uid of await readdir(podsDir)) {
    const text = await readFile(join(podsDir, uid, 'pod.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) found.push(podSchema.parse(JSON.parse(text)));
    // It is written before anything is started: a directory without it belongs to a pod that never started.
    else await rm(join(podsDir, uid), { recursive: true, force: true });
  }
  return found;
}

function findLogIn(workers: PodWorkers): FindLog {
  return (namespace, pod, container, previous) => {
    const worker = workers.find(namespace, pod);
    if (!worker) return { status: 404, problem: `pod "${namespace}/${pod}" not found\n` };
    const runner = worker.runner(container);
    if (!runner) return { status: 404, problem: `container "${container}" not found in pod "${pod}"\n` };
    const found = runner.logSource(previous);
    if (found) return { found };
    const problem = previous
      ? `previous terminated container "${container}" in pod "${pod}" not found\n`
      : `container "${container}" in pod "${pod}" is waiting to start: ${runner.fault?.reason ?? 'ContainerCreating'}\n`;
    return { status: 400, problem };
  };
}
