/**
 * CPU of the Kafka source alone: consumes a topic as fast as it can and counts.
 *
 * node bench/micro/kafka-source.ts [--records 1000000] [--bytes 200] [--partitions 4] [--compression none|gzip]
 *
 * Starts a Kafka of its own, fills a topic, reads it several times in one process: the first round is cold, the others
 * warm. Prints records/s and µs of CPU a record of this process (`process.cpuUsage`), decoding and sockets included.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { pino } from 'pino';
import type { ConnectorContext } from '../../connectors/connector.ts';
import { source } from '../../connectors/kafka/index.ts';
import { kafkaSourceSpec } from '../../connectors/kafka/spec.ts';
import { startKafka } from '../../local/kafka/kafka.ts';
import { freePort } from '../../local/ports.ts';
import '../../connectors/kafka/quiet-timers.ts';
import { undecided } from '../../test/connectors/source-context.ts';

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    bytes: { type: 'string', default: '200' },
    partitions: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '4' },
    compression: { type: 'string', default: 'none' },
  },
});
const records = Number(options.records);
const topic = 'bench';

const dir = await mkdtemp(join(tmpdir(), 'millrace-bench-kafka-'));
const kafka = await startKafka({ dir, port: await freePort() });
try {
  await fill(kafka.brokers);
  for (let round = 1; round <= Number(options.rounds); round++) await consume(kafka.brokers, round);
} finally {
  await kafka.stop();
  await rm(dir, { recursive: true, force: true });
}

async function fill(brokers: readonly string[]): Promise<void> {
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: Number(options.partitions) }], waitForLeaders: true });
  await admin.disconnect();
  const producer = client.producer();
  await producer.connect();
  const compression = options.compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None;
  for (let sent = 0; sent < records;) {
    const messages = Array.from({ length: Math.min(5_000, records - sent) }, (_, i) => ({ value: valueOf(sent + i) }));
    await producer.send({ topic, messages, compression });
    sent += messages.length;
  }
  await producer.disconnect();
}

function valueOf(id: number): string {
  const head = `{"id":${id},"status":"paid","amount":${(id % 10_000) / 100},"note":"`;
  return `${head}${'x'.repeat(Math.max(0, Number(options.bytes) - head.length - 2))}"}`;
}

async function consume(brokers: readonly string[], round: number): Promise<void> {
  const stop = new AbortController();
  const context: ConnectorContext & { slots: number } = {
    name: 'bench',
    pipeline: { name: 'bench', namespace: 'bench', uid: 'bench', pid: 'bench' },
    identity: { user: 'user "app"', credentials: 'username, password (key "password" of Secret "app")' },
    log: pino({ level: 'warn' }),
    clock: {
      now: Date.now,
      sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
    },
    bindAddress: '127.0.0.1',
    maxRecordBytes: () => 8 * 2 ** 20,
    maxTogetherBytes: () => 8 * 2 ** 20,
    waitsFor: () => undefined,
    signal: stop.signal,
    slots: 1,
  };
  const opened = await source.connect(kafkaSourceSpec.parse({ brokers, topic }), context);
  const reader = await opened.open(0, undefined, undecided);
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  let count = 0;
  let batches = 0;
  while (count < records) {
    const batch = await reader.read(stop.signal);
    count += batch?.count ?? 0;
    batches++;
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  await reader.close();
  await opened.close();
  const rate = Math.round(count / seconds / 1000);
  const each = (micros: number) => (micros / count).toFixed(3);
  const line = `round ${round}: ${count} records in ${batches} batches, ${rate} k/s, CPU ${each(user + system)} µs a record (user ${each(user)}, system ${each(system)})`;
  process.stdout.write(`${line}\n`);
}
