/**
 * Runs one case: fills a topic, starts the workers, and measures.
 *
 * Rate: from the first rows in the table to the last. CPU: from when both workers are ready to the last row, so it
 * includes the warm-up of the compiler but not the loading of code.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { Kafka, logLevel } from 'kafkajs';
import { z } from 'zod';
import type { BenchCase } from './cases.ts';
import { cpuMicros, peakRssBytes } from './cpu.ts';
import type { Rig } from './rig.ts';
import '../connectors/kafka/quiet-timers.ts';

export interface Result {
  readonly name: string;
  readonly records: number;
  readonly seconds: number;
  readonly recordsPerSecond: number;
  /** Microseconds of CPU for each input record, by process. */
  readonly cpu: Readonly<Record<ProcessName, number>>;
  /** Largest resident size in MiB, by process. */
  readonly rssMiB: Readonly<Record<'ingestor' | 'sink', number>>;
}

export type ProcessName = 'ingestor' | 'nats' | 'sink' | 'clickhouse' | 'kafka';

const partitions = 4;
/** Four partitions share it; a broker takes 1 MiB for each. */
const produceBatch = 2_000;
const deadlineMs = 300_000;
const pollMs = 50;

export async function measure(rig: Rig, benchCase: BenchCase, index: number): Promise<Result> {
  const topic = `bench-${index}`;
  const table = `bench_${index}`;
  await fill(rig, topic, benchCase);
  const client = createClient({ url: rig.clickhouse.url });
  const workers = await rig.startWorkers(benchCase, topic, table);
  try {
    const pids: Record<ProcessName, number> = {
      ingestor: workers.ingestor.pid,
      nats: rig.nats.pid,
      sink: workers.sink.pid,
      clickhouse: rig.clickhouse.pid(),
      kafka: rig.kafka.pid(),
    };
    const wanted = benchCase.expectedRows(benchCase.records);
    const before = await cpuOf(pids);
    const first = await untilRows(client, table, 1);
    const start = performance.now();
    await untilRows(client, table, wanted);
    const seconds = (performance.now() - start) / 1000;
    const after = await cpuOf(pids);
    return {
      name: benchCase.name,
      records: benchCase.records,
      seconds,
      // Records whose rows came after the first sample.
      recordsPerSecond: (benchCase.records * (1 - first / wanted)) / seconds,
      cpu: perRecord(before, after, benchCase.records),
      rssMiB: {
        ingestor: (await peakRssBytes(pids.ingestor)) / 2 ** 20,
        sink: (await peakRssBytes(pids.sink)) / 2 ** 20,
      },
    };
  } finally {
    await workers.stop();
    await client.close();
  }
}

async function fill(rig: Rig, topic: string, benchCase: BenchCase): Promise<void> {
  const kafka = new Kafka({ clientId: 'bench', brokers: [...rig.kafka.brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true });
  await admin.disconnect();
  const producer = kafka.producer();
  await producer.connect();
  for (let from = 0; from < benchCase.records; from += produceBatch) {
    const messages = [];
    for (let id = from; id < Math.min(from + produceBatch, benchCase.records); id++) {
      messages.push({ key: String(id), value: benchCase.shape.value(id), partition: id % partitions });
    }
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

const countRow = z.tuple([z.object({ count: z.coerce.number() })]);

/** The number of rows, once there are enough. */
async function untilRows(client: ClickHouseClient, table: string, wanted: number): Promise<number> {
  const deadline = performance.now() + deadlineMs;
  let seen = 0;
  while (performance.now() < deadline) {
    const answer = await client.query({
      query: `SELECT sum(total_rows) AS count FROM system.tables WHERE database = 'default' AND name = '${table}'`,
      format: 'JSONEachRow',
    });
    [{ count: seen }] = countRow.parse(await answer.json());
    if (seen >= wanted) return seen;
    await delay(pollMs);
  }
  throw new Error(`${table} has ${seen} of ${wanted} rows after ${deadlineMs / 1000} s`);
}

async function cpuOf(pids: Readonly<Record<ProcessName, number>>): Promise<Record<ProcessName, number>> {
  return {
    ingestor: await cpuMicros(pids.ingestor),
    nats: await cpuMicros(pids.nats),
    sink: await cpuMicros(pids.sink),
    clickhouse: await cpuMicros(pids.clickhouse),
    kafka: await cpuMicros(pids.kafka),
  };
}

function perRecord(
  before: Readonly<Record<ProcessName, number>>,
  after: Readonly<Record<ProcessName, number>>,
  records: number,
): Record<ProcessName, number> {
  const each = (name: ProcessName) => (after[name] - before[name]) / records;
  return {
    ingestor: each('ingestor'),
    nats: each('nats'),
    sink: each('sink'),
    clickhouse: each('clickhouse'),
    kafka: each('kafka'),
  };
}
