/** A real Kafka for tests, clients to fill it, and a reader that is read until it has given what is awaited. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka as Client, logLevel, type Admin, type Message, type Producer } from 'kafkajs';
import type { Source, SourceReader } from '../../../connectors/connector.ts';
import { source } from '../../../connectors/kafka/index.ts';
import { parsePosition } from '../../../connectors/kafka/position.ts';
import { kafkaSourceSpec } from '../../../connectors/kafka/spec.ts';
import { MillraceError } from '../../../model/errors.ts';
import type { Position, RecordBatch } from '../../../stream/record-batch.ts';
import { startKafka, type Kafka, type KafkaOptions } from '../../../local/kafka/kafka.ts';
import { freePort } from '../../../local/ports.ts';
import { sourceContext, type TestContext } from '../source-context.ts';
import { hangMs } from '../../support/eventually.ts';
import { createTopic } from '../../support/kafka-topic.ts';
import '../../../connectors/kafka/quiet-timers.ts';

export class KafkaForTests {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly producer: Producer;
  readonly client: Client;
  readonly dir: string;

  private constructor(kafka: Kafka, dir: string) {
    this.kafka = kafka;
    this.dir = dir;
    this.client = new Client({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
    this.admin = this.client.admin();
    this.producer = this.client.producer();
  }

  static async start(options: Partial<KafkaOptions> = {}): Promise<KafkaForTests> {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-kafka-'));
    const started = new KafkaForTests(await startKafka({ dir, port: await freePort(), ...options }), dir);
    await started.admin.connect();
    await started.producer.connect();
    return started;
  }

  async stop(): Promise<void> {
    await Promise.allSettled([this.admin.disconnect(), this.producer.disconnect()]);
    await this.kafka.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  async createTopic(topic: string, numPartitions = 1, settings: Record<string, string> = {}): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await createTopic(this.admin, { topic, numPartitions, configEntries });
  }

  async send(
    topic: string,
    partition: number,
    values: readonly (string | Omit<Message, 'partition'>)[],
  ): Promise<void> {
    const messages = values.map((value) =>
      typeof value === 'string' ? { value, partition } : { ...value, partition },
    );
    await this.producer.send({ topic, messages });
  }

  /** What retention does. */
  async deleteBefore(topic: string, partition: number, offset: number): Promise<void> {
    await this.admin.fetchTopicOffsets(topic); // the client looks for the leader in what it happens to know
    await this.admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
  }

  connect(topic: string, spec: Record<string, unknown> = {}, context: TestContext = {}): Promise<Source> {
    const config = kafkaSourceSpec.parse({ brokers: this.kafka.brokers, topic, ...spec });
    return source.connect(config, sourceContext(context));
  }
}

export interface Taken {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly time: number;
  readonly headers: readonly (readonly [string, string])[];
}

export function recordsOf(batch: RecordBatch): Taken[] {
  return Array.from({ length: batch.count }, (_, i) => ({
    partition: batch.partition,
    offset: Number(batch.offsets?.[i]),
    key: text(batch, batch.keyStart[i], batch.keyEnd[i]),
    value: text(batch, batch.valueStart[i], batch.valueEnd[i]),
    time: batch.timestamps[i] ?? NaN,
    headers: batch.headers?.[i] ?? [],
  }));
}

function text(batch: RecordBatch, start = 0, end = 0): string | null {
  return end === -1 ? null : Buffer.from(batch.bytes.subarray(start, end)).toString();
}

export interface Read {
  readonly records: Taken[];
  readonly position: Position | undefined;
}

/** Reads until `count` records have come; fails after a deadline. */
export async function take(reader: SourceReader, count: number): Promise<Read> {
  const records: Taken[] = [];
  const deadline = AbortSignal.timeout(hangMs);
  let position: Position | undefined;
  while (records.length < count) {
    const batch = await reader.read(deadline).catch((error: unknown) => {
      if (deadline.aborted) throw new Error(`${records.length} of ${count} records came in time`);
      throw error;
    });
    if (batch === undefined) break;
    records.push(...recordsOf(batch));
    position = batch.position;
  }
  return { records, position };
}

/** Without the topic's id. */
export function offsetsIn(position: Position | undefined): Record<string, number> {
  return Object.fromEntries(position === undefined ? [] : parsePosition(position).offsets);
}

/** What reading ends with; no record may come before. */
export async function failure(reader: SourceReader): Promise<MillraceError> {
  for (;;) {
    try {
      const batch = await reader.read(AbortSignal.timeout(hangMs));
      if (batch !== undefined && batch.count > 0) throw new Error(`records came: ${recordsOf(batch).length}`);
    } catch (error) {
      if (error instanceof MillraceError) return error;
      throw error;
    }
  }
}

export function numbered(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `{"id":${from + i}}`);
}
