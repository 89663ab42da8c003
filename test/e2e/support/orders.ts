/** A topic of orders whose every field is a function of its number, so that what must arrive can be computed. */
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { createTopic } from '../../support/kafka-topic.ts';
import '../../../connectors/kafka/quiet-timers.ts';

export interface Order {
  readonly id: number;
  readonly status: 'paid' | 'open';
  readonly amount: number;
  readonly qty: number;
}

export function order(id: number): Order {
  return { id, status: id % 3 === 0 ? 'open' : 'paid', amount: (id % 1000) / 4, qty: (id % 5) + 1 };
}

/** The value as it goes to Kafka: about 200 bytes. */
export function orderJson(id: number): string {
  const { status, amount, qty } = order(id);
  return `{"id":${id},"status":"${status}","amount":${amount},"qty":${qty},"customer":"customer-${id % 4096}","note":"order number ${id} of the test, padded so that a record has a usual size","channel":"web-shop","internal":"drop me"}`;
}

/** What must be in the sink after the filter on `paid` and `total = amount * qty`, without orders that are gone. */
export function expectedOrders(
  from: number,
  to: number,
  isGone: (id: number) => boolean = () => false,
): { rows: number; total: number } {
  let rows = 0;
  let total = 0;
  for (let id = from; id < to; id++) {
    const { status, amount, qty } = order(id);
    if (status !== 'paid' || isGone(id)) continue;
    rows += 1;
    total += amount * qty;
  }
  return { rows, total };
}

const batchSize = 5_000;

export class Topic {
  readonly name: string;
  readonly #kafka: Kafka;
  readonly #partitions: number;

  constructor(brokers: readonly string[], name: string, partitions: number) {
    this.name = name;
    this.#partitions = partitions;
    this.#kafka = new Kafka({ clientId: 'e2e', brokers: [...brokers], logLevel: logLevel.NOTHING });
  }

  create(): Promise<void> {
    return this.#asAdmin((admin) =>
      createTopic(admin, { topic: this.name, numPartitions: this.#partitions, replicationFactor: 1 }),
    );
  }

  /** As retention does. */
  deleteBefore(partition: number, offset: number): Promise<void> {
    return this.#asAdmin(async (admin) => {
      // Only by such a question does the client learn where the partitions are.
      await admin.fetchTopicOffsets(this.name);
      await admin.deleteTopicRecords({ topic: this.name, partitions: [{ partition, offset: String(offset) }] });
    });
  }

  /** Orders `from` (included) to `to` (excluded); order i goes to partition `i mod partitions`, in order. */
  async produceOrders(from: number, to: number): Promise<void> {
    await this.#produce(function* () {
      for (let id = from; id < to; id++) yield { id, value: orderJson(id) };
    });
  }

  /** Orders from `first` on, until the signal; how many there are then. */
  async produceUntil(signal: AbortSignal, first = 0): Promise<number> {
    let next = first;
    do {
      await this.produceOrders(next, next + batchSize);
      next += batchSize;
    } while (!signal.aborted);
    return next;
  }

  async produceRaw(values: readonly string[]): Promise<void> {
    await this.#produce(function* () {
      for (const [id, value] of values.entries()) yield { id, value };
    });
  }

  async #asAdmin(act: (admin: Admin) => Promise<void>): Promise<void> {
    const admin = this.#kafka.admin();
    await admin.connect();
    try {
      await act(admin);
    } finally {
      await admin.disconnect();
    }
  }

  async #produce(records: () => Iterable<{ id: number; value: string }>): Promise<void> {
    const producer = this.#kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    try {
      let messages: { key: string; value: string; partition: number }[] = [];
      const send = async () => {
        if (messages.length > 0) await producer.send({ topic: this.name, messages, acks: -1 });
        messages = [];
      };
      for (const { id, value } of records()) {
        messages.push({ key: String(id), value, partition: id % this.#partitions });
        // One batch after the other keeps the order in each partition.
        if (messages.length >= batchSize) await send();
      }
      await send();
    } finally {
      await producer.disconnect();
    }
  }
}
