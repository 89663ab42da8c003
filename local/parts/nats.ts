/** nats-server with JetStream on loopback: every acknowledged message is on disk (`sync_interval: always`). */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveBinary } from '../binaries/resolve.ts';
import { startProcess, type ProcessOptions, type RunningProcess } from '../process.ts';

export interface NatsOptions {
  /** Store, configuration and log live here. */
  readonly dir: string;
  readonly port: number;
  readonly monitorPort: number;
  /** Default 20 GiB; must be below the size of the volume, because a full volume hangs JetStream without an error. */
  readonly maxFileBytes?: number;
  /** Largest message. Default 8 MB, which is also the largest that NATS recommends. */
  readonly maxPayloadBytes?: number;
  /** One of several servers that replicate each other's streams. */
  readonly cluster?: NatsCluster;
  /** More configuration, verbatim: accounts and users, for tests. */
  readonly extra?: string;
  readonly logFile?: string;
  readonly onSpawn?: ProcessOptions['onSpawn'];
}

export interface NatsCluster {
  /** Of this server, different for each. */
  readonly serverName: string;
  /** Where this server listens to the others. */
  readonly port: number;
  /** Of all servers of the cluster. */
  readonly ports: readonly number[];
}

export interface Nats extends RunningProcess {
  readonly url: string;
}

export async function startNats(options: NatsOptions): Promise<Nats> {
  await mkdir(options.dir, { recursive: true });
  const config = join(options.dir, 'nats.conf');
  await writeFile(config, configuration(options));
  const running = await startProcess({
    name: 'nats-server',
    command: await resolveBinary('nats-server'),
    args: ['--config', config],
    logFile: options.logFile ?? join(options.dir, 'nats.log'),
    ready: async () => (await fetch(`http://127.0.0.1:${options.monitorPort}/healthz`)).ok,
    ...(options.onSpawn ? { onSpawn: options.onSpawn } : {}),
  });
  return { ...running, url: `nats://127.0.0.1:${options.port}` };
}

function configuration(options: NatsOptions): string {
  return `listen: "127.0.0.1:${options.port}"
http: "127.0.0.1:${options.monitorPort}"
server_name: ${options.cluster?.serverName ?? 'local'}
max_payload: ${options.maxPayloadBytes ?? '8MB'}
jetstream {
  store_dir: "${join(options.dir, 'store')}"
  max_file_store: ${options.maxFileBytes ?? 20 * 2 ** 30}
  max_memory_store: 268435456
  sync_interval: always
}
${options.cluster === undefined ? '' : clusterOf(options.cluster)}${options.extra ?? ''}`;
}

function clusterOf({ port, ports }: NatsCluster): string {
  return `cluster {
  name: local
  listen: "127.0.0.1:${port}"
  routes: [${ports.map((one) => `"nats://127.0.0.1:${one}"`).join(', ')}]
}
`;
}
