/**
 * Fetches of one slot from one leader, one ahead of what is being read.
 *
 * L1  At most one fetch is in flight, and at most two answers are held: the one that is being read and the next. The
 *     pod counts what they hold, and what is requested (`./fetch-budget.ts`).
 * L2  Partitions that returned records move to the end of the next request, so that a full answer starves none.
 */
import type { Cluster, FetchConnection, FetchRequest } from './cluster.ts';
import type { FetchBudget } from './fetch-budget.ts';
import { offsetAfter } from './batch-header.ts';
import type { FetchedPartition, FetchResponse } from './fetch-response.ts';
import type { Partition } from './partition.ts';
import { RecordSet } from './record-set.ts';

/** The part of a fetch that belongs to one partition and has not been read yet. */
export interface Section {
  readonly leader: Leader;
  readonly partition: Partition;
  /** The section continues the partition only while the partition is at this offset; otherwise it is stale. */
  from: number;
  readonly records: RecordSet;
}

export interface FetchLimits {
  readonly partitionMaxBytes: number;
  readonly maxBytes: number;
  /** Of one record batch. */
  readonly maxInflatedBytes: number;
  readonly maxWaitMs: number;
  readonly budget: FetchBudget;
}

export interface LeaderEvents {
  /** Called for an answer, an error or new room: check again. */
  changed(): void;
  answered(node: number): void;
  /** Called when the end of a partition is known anew. */
  sawEnd(partition: Partition, end: number): void;
  /** A broker's answer about one partition that is not records. */
  refused(node: number, partition: Partition, errorCode: number): void;
  failed(node: number, error: unknown): void;
}

export class Leader {
  readonly node: number;
  readonly #cluster: Pick<Cluster, 'fetchConnection'>;
  readonly #topic: string;
  readonly #topicId: string | undefined;
  readonly #limits: FetchLimits;
  readonly #events: LeaderEvents;
  #connection: FetchConnection | undefined;
  #isFetching = false;
  #isClosed = false;
  #order: Partition[] = [];
  #reading: Section[] = [];
  #waiting: Section[] = [];
  #readingBytes = 0;
  #waitingBytes = 0;

  constructor(
    node: number,
    cluster: Pick<Cluster, 'fetchConnection'>,
    topic: { readonly name: string; readonly id: string | undefined },
    limits: FetchLimits,
    events: LeaderEvents,
  ) {
    this.node = node;
    this.#cluster = cluster;
    this.#topic = topic.name;
    this.#topicId = topic.id;
    this.#limits = limits;
    this.#events = events;
    limits.budget.join();
  }

  /** Removes and returns the next section to read. */
  take(): Section | undefined {
    if (this.#reading.length === 0) {
      this.#limits.budget.give(this.#readingBytes);
      this.#reading = this.#waiting;
      this.#readingBytes = this.#waitingBytes;
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    return this.#reading.shift();
  }

  /** A section that is not read to its end moves behind the others of its answer. */
  putBack(section: Section): void {
    this.#reading.push(section);
  }

  /** Drops what was fetched of a partition: another leader serves it now, or its offset changed. */
  forget(partition: Partition): void {
    this.#reading = this.#reading.filter((section) => section.partition !== partition);
    this.#waiting = this.#waiting.filter((section) => section.partition !== partition);
  }

  /** Starts the next fetch if there is room for its answer and a partition to fetch. */
  fetch(partitions: readonly Partition[]): void {
    if (this.#isFetching || this.#isClosed || this.#waiting.length > 0) return;
    const kept = this.#order.filter((each) => partitions.includes(each));
    this.#order = [...kept, ...partitions.filter((each) => !kept.includes(each))];
    const asked = this.#order.flatMap((partition) =>
      partition.fetchAt === undefined || partition.isOutOfRange ? [] : [{ partition, offset: partition.fetchAt }],
    );
    if (asked.length === 0) return;
    this.#isFetching = true;
    void this.#run(asked);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection?.close();
    const { budget } = this.#limits;
    budget.give(this.#readingBytes + this.#waitingBytes);
    this.#reading = [];
    this.#waiting = [];
    budget.leave();
  }

  async #run(asked: readonly { readonly partition: Partition; readonly offset: number }[]): Promise<void> {
    const { budget, partitionMaxBytes, maxWaitMs } = this.#limits;
    const maxBytes = budget.take(this.#limits.maxBytes);
    let keptBytes = 0;
    try {
      this.#connection ??= await this.#cluster.fetchConnection(this.node);
      const request: FetchRequest = {
        partitionMaxBytes,
        maxBytes,
        maxWaitMs,
        topic: this.#topic,
        topicId: this.#topicId,
        partitions: asked.map(({ partition, offset }) => ({ partition: partition.id, offset })),
      };
      const response = await this.#connection.fetch(request);
      this.#events.answered(this.node);
      if (this.#isClosed) return;
      this.#accept(asked, response);
      if (this.#waiting.length > 0) keptBytes = bytesOf(response);
      this.#waitingBytes = keptBytes;
    } catch (error) {
      this.#connection?.close();
      this.#connection = undefined;
      if (!this.#isClosed) this.#events.failed(this.node, error);
    } finally {
      budget.give(maxBytes - keptBytes);
      this.#isFetching = false;
      if (this.#isClosed) this.#connection?.close();
      else this.#events.changed();
    }
  }

  #accept(asked: readonly { readonly partition: Partition; readonly offset: number }[], response: FetchResponse): void {
    const byId = new Map(asked.map((each) => [each.partition.id, each]));
    for (const fetched of response.partitions) {
      const one = byId.get(fetched.partition);
      // Between request and answer the partition may have moved (position lost, other leader): then it is fetched
      // again.
      if (one === undefined || one.partition.fetchAt !== one.offset) continue;
      if (fetched.errorCode !== 0) this.#events.refused(this.node, one.partition, fetched.errorCode);
      else this.#queue(one.partition, one.offset, fetched);
    }
  }

  #queue(partition: Partition, offset: number, fetched: FetchedPartition): void {
    this.#events.sawEnd(partition, fetched.highWatermark);
    if (fetched.records.length === 0) return;
    const next = nextOffset(fetched.records, offset);
    // Cut before the end of its first batch: the partition keeps its place at the front, where a batch is returned
    // whole.
    if (next === offset) return;
    const records = new RecordSet(fetched.records, offset, fetched.aborted, this.#limits.maxInflatedBytes);
    this.#waiting.push({ leader: this, partition, from: offset, records });
    if (next === undefined) return;
    partition.fetchAt = next;
    this.#order.push(...this.#order.splice(this.#order.indexOf(partition), 1));
  }
}

function bytesOf({ partitions }: FetchResponse): number {
  return partitions.reduce((sum, { records }) => sum + records.length, 0);
}

/** Undefined: the bytes do not decode. They become a section anyway, and reading it reports where they are. */
function nextOffset(records: Uint8Array, offset: number): number | undefined {
  try {
    return offsetAfter(records, offset);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
