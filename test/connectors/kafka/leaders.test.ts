import assert from 'node:assert/strict';
import type { Admin, Producer } from 'kafkajs';
import { pino } from 'pino';
import { Cluster } from '../../../connectors/kafka/cluster.ts';
import type { Source, SourceReader } from '../../../connectors/connector.ts';
import { freePort } from '../../../local/ports.ts';
import type { RunningProcess } from '../../../local/process.ts';
import { eventually, hangMs } from '../../support/eventually.ts';
import { createTopic } from '../../support/kafka-topic.ts';
import { KafkaForTests, numbered, recordsOf } from './harness.ts';
import { startSecondBroker } from './second-broker.ts';
import { undecided } from '../source-context.ts';

describe('kafka source on two brokers', function () {
  let kafka: KafkaForTests;
  let cluster: Cluster;
  let second: RunningProcess;
  /** Of one test: this client does nothing at all while any topic that it knows has no leader. */
  let admin: Admin;
  let producer: Producer;
  let source: Source;
  let reader: SourceReader;
  let next: Map<number, number>;

  let startSecond: () => Promise<RunningProcess>;

  before(async () => {
    const controllerPort = await freePort();
    kafka = await KafkaForTests.start({ controllerPort });
    startSecond = async () => {
      const broker = await startSecondBroker(kafka.dir, controllerPort);
      await eventually(async () => (await kafka.admin.describeCluster()).brokers.length === 2);
      return broker;
    };
    second = await startSecond();
    const port = Number(kafka.kafka.brokers[0]?.split(':')[1]);
    const log = pino({ level: 'silent' });
    cluster = new Cluster({ brokers: [{ host: '127.0.0.1', port }], clientId: 'test', log });
  });
  after(async () => {
    cluster.close();
    await second.stop();
    await kafka.stop();
  });
  beforeEach(async () => {
    admin = kafka.client.admin();
    producer = kafka.client.producer();
    await Promise.all([admin.connect(), producer.connect()]);
  });
  afterEach(async () => {
    await source.close();
    await Promise.all([admin.disconnect(), producer.disconnect()]);
  });

  async function readFrom(topic: string, replicas: readonly number[][], spec: Record<string, unknown> = {}) {
    const replicaAssignment = replicas.map((nodes, partition) => ({ partition, replicas: nodes }));
    await createTopic(admin, { topic, replicaAssignment });
    source = await kafka.connect(topic, spec);
    reader = await source.open(0, undefined, undecided);
    next = new Map([
      [0, 0],
      [1, 0],
    ]);
  }

  /** -1: none. Asked by our own client: that of the test refuses to answer while a partition has no leader. */
  async function leadersOf(topic: string): Promise<number[]> {
    const { topics } = await cluster.metadata(topic);
    const partitions = topics[0]?.partitions ?? [];
    return partitions.toSorted((a, b) => a.id - b.id).map(({ leader }) => leader);
  }

  /** Sends to both partitions and reads to their ends; each offset must come once, in order. */
  async function round(topic: string): Promise<void> {
    for (const partition of next.keys()) {
      const messages = numbered(0, 100).map((value) => ({ value, partition }));
      await eventually(() => producer.send({ topic, messages }));
    }
    await eventually(async () => {
      const ends = await admin.fetchTopicOffsets(topic);
      while (ends.some(({ partition, high }) => next.get(partition) !== Number(high))) await readOnce();
    });
  }

  async function readOnce(): Promise<void> {
    const batch = await reader.read(AbortSignal.timeout(hangMs));
    for (const { partition, offset } of batch === undefined ? [] : recordsOf(batch)) {
      assert.equal(offset, next.get(partition));
      next.set(partition, offset + 1);
    }
  }

  it('R1: follows a partition to its new leader without loss or repetition', async () => {
    await readFrom('moves', [[1], [2]]);
    for (let times = 0; times < 3; times++) await round('moves');
    const partitionAssignment = [
      { partition: 0, replicas: [2] },
      { partition: 1, replicas: [1] },
    ];
    await admin.alterPartitionReassignments({ topics: [{ topic: 'moves', partitionAssignment }] });
    await eventually(async () => assert.deepEqual(await leadersOf('moves'), [2, 1]));
    for (let times = 0; times < 3; times++) await round('moves');
    assert.ok((next.get(0) ?? 0) >= 600 && (next.get(1) ?? 0) >= 600);
  });

  it('reads the partitions that have a leader while another has none, and that one once it has', async () => {
    await readFrom('half', [[1], [2]], { fetch: { maxBytes: '16Ki' } });
    const messages = numbered(0, 20_000).map((value) => ({ value, partition: 0 }));
    await producer.send({ topic: 'half', messages });
    await readOnce();
    second.kill('SIGKILL');
    await second.exited;
    await eventually(async () => assert.deepEqual(await leadersOf('half'), [1, -1]));
    await eventually(async () => {
      while (next.get(0) !== 20_000) await readOnce();
    });
    second = await startSecond();
    await eventually(async () => assert.deepEqual(await leadersOf('half'), [1, 2]));
    await round('half');
  });

  it('R3: reads on from the other replica when a leader is killed', async () => {
    await readFrom('survives', [
      [2, 1],
      [1, 2],
    ]);
    for (let times = 0; times < 3; times++) await round('survives');
    second.kill('SIGKILL');
    await second.exited;
    await eventually(async () => assert.deepEqual(await leadersOf('survives'), [1, 1]));
    for (let times = 0; times < 3; times++) await round('survives');
    assert.ok((next.get(0) ?? 0) >= 600 && (next.get(1) ?? 0) >= 600);
  });
});
