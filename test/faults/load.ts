/**
 * Records into both pipelines, for as long as the run lasts, and what was acknowledged of them.
 *
 * Kafka: what counts as input is what the topic holds in the end, so a producer that must repeat a batch hides nothing.
 * HTTP: a request is repeated under its key until it is accepted, as a careful client does; so every event counts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { problemOf } from '../../model/errors.ts';
import { createTopic } from '../support/kafka-topic.ts';
import { partitions, topic } from './pipelines.ts';
import '../../connectors/kafka/quiet-timers.ts';

const kafkaBatch = 150;
const kafkaEveryMs = 100;
const eventsOfRequest = 20;
const requestEveryMs = 100;
const requestTimeoutMs = 20_000;
/** One order in so many is not JSON: it must become a dead letter, once. */
export const brokenEvery = 500;

export interface Order {
  readonly id: number;
  readonly status: 'paid' | 'open';
  readonly amount: number;
}

export function orderOf(id: number): Order {
  return { id, status: id % 4 === 0 ? 'open' : 'paid', amount: (id * 7) % 100 };
}

function valueOf(id: number): string {
  if (id % brokenEvery === 0) return `{"id": ${id}, "status": `;
  return JSON.stringify({ ...orderOf(id), note: `order ${id}, padded to the size of a usual record with some words` });
}

/** A moment of the run: how much was acknowledged by then. */
export interface Mark {
  readonly atMs: number;
  readonly orders: number;
  readonly events: number;
}

export class Load {
  readonly #kafka: Kafka;
  readonly #recordsUrl: string;
  readonly #token: string;
  readonly #stop = new AbortController();
  readonly marks: Mark[] = [];
  readonly refusals = new Map<string, number>();
  /** Events of which a pipeline that is gone may have taken a request that was not answered; it knew the key. */
  readonly mayRepeat = new Set<number>();
  #orders = 0;
  #events = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(brokers: readonly string[], apiUrl: string, apiToken: string) {
    this.#kafka = new Kafka({ clientId: 'faults', brokers: [...brokers], logLevel: logLevel.NOTHING });
    this.#token = apiToken;
    this.#recordsUrl = `${apiUrl}/v1/namespaces/default/pipelines/events/records`;
  }

  /** Orders that Kafka has acknowledged. */
  get orders(): number {
    return this.#orders;
  }

  /** Events that were answered with 202. */
  get events(): number {
    return this.#events;
  }

  /** Nobody takes events now: what is repeated from here on meets a pipeline that knows no key of the one before. */
  noteGone(): void {
    for (let index = 0; index < eventsOfRequest; index++) this.mayRepeat.add(this.#events + index);
  }

  async createTopic(): Promise<void> {
    const admin = this.#kafka.admin();
    await admin.connect();
    try {
      await createTopic(admin, { topic, numPartitions: partitions, replicationFactor: 1 });
    } finally {
      await admin.disconnect();
    }
  }

  start(): void {
    this.#running = Promise.all([this.#produce(), this.#post()]);
  }

  /** Ends the load; what was begun is repeated until it is acknowledged. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #produce(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const from = this.#orders;
      const ids = Array.from({ length: kafkaBatch }, (_, index) => from + index);
      const messages = ids.map((id) => ({ key: String(id), value: valueOf(id), partition: id % partitions }));
      await this.#until((producer) => producer.send({ topic, messages, acks: -1 }));
      this.#orders += kafkaBatch;
      this.#note();
      await delay(kafkaEveryMs);
    }
    await this.#producer?.disconnect();
  }

  #producer: Producer | undefined;

  async #until(send: (producer: Producer) => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        this.#producer ??= await this.#connect();
        await send(this.#producer);
        return;
      } catch (error) {
        this.#refused('Kafka', error);
        // A producer that met a dead broker may keep a broken sequence: the next one begins anew.
        await this.#producer?.disconnect().catch((failure: unknown) => this.#refused('Kafka', failure));
        this.#producer = undefined;
        await delay(500);
      }
    }
  }

  async #connect(): Promise<Producer> {
    const producer = this.#kafka.producer({ idempotent: true, maxInFlightRequests: 1, retry: { retries: 2 } });
    await producer.connect();
    return producer;
  }

  async #post(): Promise<void> {
    for (let request = 0; !this.#stop.signal.aborted; request++) {
      const first = request * eventsOfRequest;
      const events = Array.from({ length: eventsOfRequest }, (_, index) => ({ id: first + index, seq: request }));
      await this.#untilAccepted(`request-${request}`, JSON.stringify(events));
      this.#events += eventsOfRequest;
      this.#note();
      await delay(requestEveryMs);
    }
  }

  async #untilAccepted(key: string, body: string): Promise<void> {
    for (;;) {
      try {
        const answer = await fetch(this.#recordsUrl, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${this.#token}`,
            'content-type': 'application/json',
            'idempotency-key': key,
          },
          body,
          signal: AbortSignal.timeout(requestTimeoutMs),
        });
        const text = await answer.text();
        if (answer.status === 202) return;
        this.#refused(`HTTP ${answer.status}`, new Error(text.slice(0, 300)));
      } catch (error) {
        this.#refused('HTTP', error);
      }
      await delay(250);
    }
  }

  #refused(where: string, error: unknown): void {
    const what = `${where}: ${problemOf(error).slice(0, 120)}`;
    this.refusals.set(what, (this.refusals.get(what) ?? 0) + 1);
  }

  #note(): void {
    this.marks.push({ atMs: performance.now(), orders: this.#orders, events: this.#events });
  }

  /** Every record of the topic, by partition and offset. */
  async topicContent(): Promise<Map<string, string>> {
    const admin = this.#kafka.admin();
    await admin.connect();
    const ends = await admin.fetchTopicOffsets(topic);
    await admin.disconnect();
    const wanted = ends.reduce((sum, { high }) => sum + Number(high), 0);
    const content = new Map<string, string>();
    const consumer = this.#kafka.consumer({ groupId: `verify-${process.pid}`, maxBytesPerPartition: 4 * 2 ** 20 });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      if (wanted === 0) resolve();
      consumer
        .run({
          eachBatch: ({ batch }) => {
            for (const { offset, value } of batch.messages) {
              content.set(`${batch.partition}/${offset}`, value?.toString('utf8') ?? '');
            }
            if (content.size >= wanted) resolve();
            return Promise.resolve();
          },
        })
        .catch(reject);
    });
    await consumer.disconnect();
    return content;
  }
}
