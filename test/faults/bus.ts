/**
 * The NATS of a run: one server behind a proxy, as a part of the stack, or a cluster of three beside it.
 *
 * In a cluster the pods reach the servers themselves: clients learn the addresses of all from any of them.
 */
import { freePort } from '../../local/ports.ts';
import { startNatsCluster, type NatsServers } from '../../local/parts/nats-cluster.ts';
import type { StackOptions } from '../../local/stack.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { servers, type Battlefield } from './schedule.ts';
import { mountVolume, unmountVolume } from './volume.ts';

export interface Bus {
  readonly stackOptions: Pick<StackOptions, 'ports' | 'natsUrl'>;
  /** For the pods; undefined in a cluster. */
  readonly link: TcpProxy | undefined;
  readonly cluster: NatsServers | undefined;
  /** Where the one server keeps its store. */
  readonly volume: string;
  close(): Promise<void>;
}

/** Told to the lifecycle worker by its environment, which it inherits. */
const environment = { podUrl: 'MILLRACE_POD_NATS_URL', replicas: 'MILLRACE_STREAM_REPLICAS' } as const;

export async function startBus({ bus, canFill }: Battlefield, dir: string, volume: string): Promise<Bus> {
  return bus === 'cluster' ? startCluster(dir, volume) : startBehindProxy(volume, canFill);
}

async function startCluster(dir: string, volume: string): Promise<Bus> {
  const cluster = await startNatsCluster({ dir, servers });
  Reflect.deleteProperty(process.env, environment.podUrl);
  process.env[environment.replicas] = String(servers);
  return {
    stackOptions: { natsUrl: cluster.url },
    link: undefined,
    cluster,
    volume,
    close: () => cluster.stop(),
  };
}

async function startBehindProxy(volume: string, canFill: boolean): Promise<Bus> {
  if (canFill) await mountVolume(volume);
  const natsPort = await freePort();
  const link = await startTcpProxy(natsPort);
  process.env[environment.podUrl] = `nats://127.0.0.1:${link.port}`;
  Reflect.deleteProperty(process.env, environment.replicas);
  return {
    stackOptions: { ports: { nats: natsPort } },
    link,
    cluster: undefined,
    volume,
    async close() {
      await link.close();
      if (canFill) await unmountVolume(volume);
    },
  };
}
