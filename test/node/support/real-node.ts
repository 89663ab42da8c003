/** The node of a suite, with what is used on it: kubectl, the release of the chart, and one pipeline with its table. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namespace } from '../../deploy/support/helm.ts';
import { startNodeCluster, type NodeCluster, type NodeClusterOptions } from './cluster.ts';
import { startClickHouse, type HostClickHouse } from './host.ts';
import { makeImages, millraceLayout } from './images.ts';
import { ctr } from './machine.ts';
import { Orders, type OrdersPlace } from './orders.ts';
import { startRegistry, type Registry } from './registry.ts';
import { Release } from './release.ts';
import { localVolumes } from './volumes.ts';

interface Parts {
  /** Of files that are applied. */
  readonly dir: string;
  readonly cluster: NodeCluster;
  readonly clickhouse: HostClickHouse;
  /** Of Millrace's image. */
  readonly registry: Registry;
  /** Ends them all. */
  stop(): Promise<void>;
}

export class RealNode {
  readonly #parts: Parts;
  readonly release: Release;
  readonly orders: Orders;
  readonly registry: Registry;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.registry = parts.registry;
    this.release = new Release(parts.cluster.kubeconfigPath);
    this.orders = this.ordersIn({ namespace: 'default', isolation: 'Namespace', table: 'orders' });
  }

  /** With volumes, and a namespace for Millrace that takes restricted pods only. */
  static async start({ enforcesPolicies }: Pick<NodeClusterOptions, 'enforcesPolicies'>): Promise<RealNode> {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-e2e-node-'));
    const running: { stop(): Promise<void> }[] = [{ stop: () => rm(dir, { recursive: true, force: true }) }];
    const stop = async () => {
      for (const one of running.toReversed()) await one.stop();
    };
    try {
      const cluster = await startNodeCluster({ archives: await makeImages(join(dir, 'images')), enforcesPolicies });
      running.push(cluster);
      const clickhouse = await startClickHouse(cluster.dir);
      running.push(clickhouse);
      const registry = await startRegistry(cluster.dir, millraceLayout);
      running.push(registry);
      const node = new RealNode({ dir, cluster, clickhouse, registry, stop });
      await node.apply(await localVolumes(cluster.dir, 2));
      await node.kubectl('create', 'namespace', namespace);
      await node.kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted');
      return node;
    } catch (error) {
      await stop();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.#parts.stop();
  }

  /** Another pipeline like it. */
  ordersIn(place: OrdersPlace): Orders {
    return new Orders(this, this.#parts.clickhouse.url, place);
  }

  get kubeconfigPath(): string {
    return this.#parts.cluster.kubeconfigPath;
  }

  /** Of containerd, kubelet and the others. */
  get dir(): string {
    return this.#parts.cluster.dir;
  }

  readonly kubectl = (...args: readonly string[]): Promise<string> => this.#parts.cluster.kubectl(...args);

  readonly apply = async (text: string): Promise<void> => {
    await this.kubectl('apply', '-f', await this.#fileOf(text));
  };

  /** By the path of the API, for what kubectl has no word for. */
  async create(path: string, text: string): Promise<void> {
    await this.kubectl('create', '--raw', path, '-f', await this.#fileOf(text));
  }

  async #fileOf(text: string): Promise<string> {
    const file = join(this.#parts.dir, 'sent.yaml');
    await writeFile(file, text);
    return file;
  }

  /** A field, by its JSON path, of what `kubectl get` finds. */
  readonly fieldOf = async (path: string, ...what: readonly string[]): Promise<string> =>
    (await this.kubectl('get', ...what, '-o', `jsonpath={${path}}`)).trim();

  /** Of the process in the pod's container, as the machine has it. */
  async pidOf(inNamespace: string, pod: string): Promise<number> {
    const path = '.status.containerStatuses[0].containerID';
    const [, id = ''] = (await this.fieldOf(path, '-n', inNamespace, 'pod', pod)).split('//');
    const tasks = await ctr(this.dir, 'tasks', 'ls');
    const line = tasks.split('\n').find((each) => each.startsWith(id)) ?? '';
    return Number(line.trim().split(/\s+/)[1]);
  }

  /** The processes of the release are those of its newest revision. */
  async rolledOut(): Promise<void> {
    for (const name of ['controller', 'lifecycle', 'api'])
      await this.kubectl('-n', namespace, 'rollout', 'status', `deployment/millrace-${name}`, '--timeout=300s');
  }

  /** Of a process of the release, as its newest revision says. */
  imageOf(process: string): Promise<string> {
    const path = '.spec.template.spec.containers[0].image';
    return this.fieldOf(path, '-n', namespace, 'deployment', `millrace-${process}`);
  }

  /** For who looks at a failure. */
  async picture(): Promise<string> {
    const looks = [
      ['get', 'pods', '--all-namespaces', '-o', 'wide'],
      ['get', 'pipelines', '--all-namespaces', '-o', 'yaml'],
      ['get', 'events', '--all-namespaces', '--sort-by=.lastTimestamp'],
    ];
    const seen = looks.map((look) => this.kubectl(...look).catch(String));
    return (await Promise.all(seen)).join('\n');
  }
}
