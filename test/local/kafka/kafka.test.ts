import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs, { type KafkaConfig, type SASLOptions } from 'kafkajs';
import { startKafka, type Kafka } from '../../../local/kafka/kafka.ts';
import { freePort } from '../../../local/ports.ts';
import { createTopic } from '../../support/kafka-topic.ts';
import '../../../connectors/kafka/quiet-timers.ts';

const { Kafka: Client, logLevel } = kafkajs;

describe('local Kafka', function () {
  let dir: string;
  let kafka: Kafka;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-kafka-'));
    kafka = await startKafka({
      dir,
      port: await freePort(),
      listeners: [{ protocol: 'SASL_PLAINTEXT' }, { protocol: 'SASL_SSL' }, { protocol: 'SSL' }],
      users: [{ username: 'app', password: 'app-secret' }],
    });
  });

  after(async () => {
    await kafka.stop();
    await rm(dir, { recursive: true });
  });

  const client = (config: Partial<KafkaConfig> = {}) =>
    new Client({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING, retry: { retries: 2 }, ...config });

  async function topicsSeenBy(config: Partial<KafkaConfig>): Promise<string[]> {
    const admin = client(config).admin();
    try {
      await admin.connect();
      return await admin.listTopics();
    } finally {
      await admin.disconnect();
    }
  }

  it('keeps topics and records over SIGKILL and restart', async () => {
    const admin = client().admin();
    await createTopic(admin, { topic: 'orders', numPartitions: 4 });
    const producer = client().producer();
    await producer.connect();
    await producer.send({ topic: 'orders', messages: [{ partition: 2, value: 'one' }] });
    await producer.disconnect();
    await admin.disconnect();

    await kafka.kill();
    ok(!kafka.isRunning());
    await kafka.restart();

    const again = client({ retry: { retries: 8 } }).admin();
    await again.connect();
    const offsets = await again.fetchTopicOffsets('orders');
    await again.disconnect();
    deepEqual(
      offsets.toSorted((a, b) => a.partition - b.partition).map(({ high }) => high),
      ['0', '0', '1', '0'],
    );
  });

  it('does not create a topic that a client merely names', async () => {
    const producer = client({ retry: { retries: 0 } }).producer({ allowAutoTopicCreation: true });
    await producer.connect();
    await rejects(producer.send({ topic: 'absent', messages: [{ value: 'x' }] }));
    await producer.disconnect();
    ok(!(await topicsSeenBy({})).includes('absent'));
  });

  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
    // A new object each time: kafkajs keeps the first authenticator, with its password, on the object it is given.
    const login = (password: string) => ({ mechanism, username: 'app', password }) as SASLOptions;

    it(`lets a user log in by ${mechanism}, with and without TLS`, async () => {
      await topicsSeenBy({ brokers: [kafka.listeners.SASL_PLAINTEXT!], sasl: login('app-secret') });
      await topicsSeenBy({
        brokers: [kafka.listeners.SASL_SSL!],
        sasl: login('app-secret'),
        ssl: { ca: [kafka.caPem!] },
      });
    });

    it(`refuses a wrong password by ${mechanism}`, async () => {
      await rejects(topicsSeenBy({ brokers: [kafka.listeners.SASL_PLAINTEXT!], sasl: login('wrong') }), /auth/i);
    });
  }

  it('speaks TLS without SASL, under a certificate that verifies for 127.0.0.1', async () => {
    const topics = await topicsSeenBy({ brokers: [kafka.listeners.SSL!], ssl: { ca: [kafka.caPem!] } });
    equal(topics.includes('orders'), true);
    await rejects(topicsSeenBy({ brokers: [kafka.listeners.SSL!], ssl: true, retry: { retries: 0 } }));
  });
});
