import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type Server, type Socket } from 'node:net';
import { pino } from 'pino';
import { z } from 'zod';
import { Cluster } from '../../../connectors/kafka/cluster.ts';
import { KafkaForTests, numbered } from './harness.ts';

const manifest = z.object({ version: z.string(), exports: z.undefined().optional() });

describe('what connectors/kafka/cluster.ts relies on inside of kafkajs', function () {
  it('is version 2.2.4, without an export map that would hide its modules', async () => {
    const path = createRequire(import.meta.url).resolve('kafkajs/package.json');
    assert.equal(manifest.parse(JSON.parse(await readFile(path, 'utf8'))).version, '2.2.4');
  });

  it('asks for no timer while nothing is pending, so Node warns of no negative time', async () => {
    const warnings: string[] = [];
    const hear = (warning: Error) => warnings.push(warning.name);
    process.on('warning', hear);
    const kafka = await KafkaForTests.start();
    try {
      await kafka.createTopic('quiet');
      const cluster = new Cluster({ brokers: [addressOf(kafka)], clientId: 'test', log: pino({ level: 'silent' }) });
      await cluster.metadata('quiet');
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(warnings.includes('TimeoutNegativeWarning'), false);
      await itsPayloadsStay(kafka, cluster);
      cluster.close();
    } finally {
      process.off('warning', hear);
      await kafka.stop();
    }
  });

  it('C2: closes at once although a broker accepts and never answers', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => sockets.add(socket));
    const port = await listen(server);
    const cluster = new Cluster({
      brokers: [{ host: '127.0.0.1', port }],
      clientId: 'test',
      log: pino({ level: 'silent' }),
    });
    const asked = cluster.metadata('any');
    await new Promise<void>((resolve) => server.once('connection', () => resolve()));
    cluster.close();
    await assert.rejects(asked);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

/** The bytes of an answer are not written again while later answers come: records point into them. */
async function itsPayloadsStay(kafka: KafkaForTests, cluster: Cluster): Promise<void> {
  await kafka.send('quiet', 0, numbered(0, 500));
  const metadata = await cluster.metadata('quiet');
  const connection = await cluster.fetchConnection(metadata.brokers[0]?.nodeId ?? 0);
  const limits = { partitionMaxBytes: 2 ** 20, maxBytes: 2 ** 20, maxWaitMs: 100 };
  const request = { topic: 'quiet', topicId: metadata.topics[0]?.id, ...limits };
  const first = await connection.fetch({ ...request, partitions: [{ partition: 0, offset: 0 }] });
  const records = first.partitions[0]?.records ?? new Uint8Array(0);
  const copy = Buffer.from(records);
  for (let times = 0; times < 20; times++) {
    await connection.fetch({ ...request, partitions: [{ partition: 0, offset: 0 }] });
  }
  assert.ok(copy.length > 5_000);
  assert.ok(copy.equals(records));
  // Asked by name, as brokers without ids of topics are, the answer is the same.
  assert.ok(request.topicId !== undefined);
  const byName = await connection.fetch({ ...request, topicId: undefined, partitions: [{ partition: 0, offset: 0 }] });
  assert.deepEqual(byName.partitions, first.partitions);
  connection.close();
}

function addressOf(kafka: KafkaForTests) {
  return { host: '127.0.0.1', port: Number(kafka.kafka.brokers[0]?.split(':')[1]) };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  return address.port;
}
