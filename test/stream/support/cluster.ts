/** Three nats-servers of their own for a test file, with their data in a directory that goes away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNatsCluster, type NatsServer, type NatsServers } from '../../../local/parts/nats-cluster.ts';
import { connectStreams, type Streams } from '../../../stream/connection.ts';

export interface TestCluster extends NatsServers {
  connect(name?: string): Promise<Streams>;
  /** The server that leads a stream. */
  leaderOf(streams: Streams, stream: string): Promise<NatsServer>;
}

export async function startTestCluster(): Promise<TestCluster> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-nats-cluster-'));
  const cluster = await startNatsCluster({ dir });
  const connections: Streams[] = [];
  return {
    ...cluster,
    async connect(name = 'test') {
      const streams = await connectStreams({ url: cluster.url, name, reconnectTimeWaitMs: 50 });
      connections.push(streams);
      return streams;
    },
    async leaderOf(streams, stream) {
      const info = await streams.jsm.streams.info(stream);
      const leader = cluster.servers.find(({ name }) => name === info.cluster?.leader);
      if (leader === undefined) throw new TypeError(`stream ${stream} has no leader`);
      return leader;
    },
    async stop() {
      await Promise.all(connections.map(({ nc }) => nc.close()));
      await cluster.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
