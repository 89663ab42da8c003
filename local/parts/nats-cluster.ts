/**
 * Several nats-servers that replicate each other's streams, on loopback: what production runs, for tests and
 * benchmarks on one machine.
 */
import { join } from 'node:path';
import { freePort } from '../ports.ts';
import { startNats, type Nats, type NatsOptions } from './nats.ts';

export interface NatsServers {
  /** Addresses of all, for `connectStreams`: a client switches to another one when its own is gone. */
  readonly url: string;
  readonly servers: readonly NatsServer[];
  stop(): Promise<void>;
}

export interface NatsServer {
  /** The name by which streams identify their leader. */
  readonly name: string;
  readonly url: string;
  readonly isRunning: boolean;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again, on the same ports and data. */
  start(): Promise<void>;
  /** For SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void;
}

export interface NatsServersOptions extends Pick<NatsOptions, 'maxFileBytes' | 'maxPayloadBytes' | 'extra'> {
  /** Each server has its store, configuration and log in a subdirectory. */
  readonly dir: string;
  /** Default 3. */
  readonly servers?: number;
}

/** Resolves when all have found each other and JetStream answers. */
export async function startNatsCluster(options: NatsServersOptions): Promise<NatsServers> {
  const { dir, servers: count = 3, ...same } = options;
  const clusterPorts = await Promise.all(Array.from({ length: count }, () => freePort()));
  const servers = await Promise.all(
    clusterPorts.map(async (port, index) => {
      const serverName = `nats-${index}`;
      return new Member({
        ...same,
        dir: join(dir, serverName),
        port: await freePort(),
        monitorPort: await freePort(),
        cluster: { serverName, port, ports: clusterPorts },
      });
    }),
  );
  // Together: a server is ready only when it has found a leader among the others.
  await Promise.all(servers.map((server) => server.start()));
  return {
    url: servers.map(({ url }) => url).join(','),
    servers,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

class Member implements NatsServer {
  readonly name: string;
  readonly url: string;
  readonly #options: NatsOptions;
  #nats: Nats | undefined;

  constructor(options: NatsOptions & Required<Pick<NatsOptions, 'cluster'>>) {
    this.#options = options;
    this.name = options.cluster.serverName;
    this.url = `nats://127.0.0.1:${options.port}`;
  }

  get isRunning(): boolean {
    return this.#nats?.isRunning() ?? false;
  }

  async start(): Promise<void> {
    this.#nats = await startNats(this.#options);
  }

  async kill(): Promise<void> {
    this.#nats?.kill('SIGKILL');
    await this.#nats?.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#nats?.kill(signal);
  }

  async stop(): Promise<void> {
    await this.#nats?.stop();
  }
}
