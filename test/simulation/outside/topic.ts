/**
 * A topic of a log broker, as far as positions go: partitions, offsets with gaps (markers, aborted records, compaction),
 * transactions that are open, growth, retention; and a topic that is deleted and made anew, which has another id (086).
 */
import type { LedgerInput } from '../check/ledger.ts';
import type { Position, RecordBatch } from '../../../stream/record-batch.ts';
import type { SourceLossPort, SourceReaderPort } from '../../../stream/source-port.ts';
import { batchOf } from '../../stream/support/batches.ts';
import type { Machine } from '../kernel/machine.ts';
import { textOf } from '../plant/record.ts';
import type { Remote } from './remote.ts';
import { mr, problemOf } from '../../../model/errors.ts';

interface Entry {
  readonly offset: number;
  /** Undefined: a marker, or a record of a transaction that was aborted. */
  readonly input: LedgerInput | undefined;
}

export class Partition {
  readonly entries: Entry[] = [];
  readonly open = new Set<{ readonly first: number }>();
  end = 0;
  /** Readers see what is before it: a transaction that is open hides what follows. */
  stable = 0;
}

export class Topic {
  readonly name: string;
  /** Rises with each that is made of the name. */
  id = 1;
  readonly partitions: Partition[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(name: string, partitions: number) {
    this.name = name;
    this.grow(partitions);
  }

  grow(partitions: number): void {
    while (this.partitions.length < partitions) this.partitions.push(new Partition());
    this.#wake();
  }

  /** Begins a transaction; what comes after its first record is hidden until it ends. */
  begin(partition: number): { readonly first: number } {
    const log = this.partitions[partition]!;
    const transaction = { first: log.end };
    log.open.add(transaction);
    return transaction;
  }

  /** `gap`: offsets that are skipped before it. */
  append(partition: number, input: LedgerInput | undefined, gap = 0): void {
    const log = this.partitions[partition]!;
    log.end += gap;
    log.entries.push({ offset: log.end++, input });
  }

  /** What was appended is committed, and readers see what no other transaction hides. */
  commit(partition: number, transaction: { readonly first: number }): void {
    const log = this.partitions[partition]!;
    log.open.delete(transaction);
    log.stable = Math.min(log.end, ...[...log.open].map(({ first }) => first));
    this.#wake();
  }

  /** Records that others have replaced go, and the oldest do. Answers those that are gone. */
  clean({ every, oldest }: { readonly every: number; readonly oldest: number }): LedgerInput[] {
    const gone: LedgerInput[] = [];
    for (const log of this.partitions) {
      const kept = log.entries.filter(({ offset, input }, at) => {
        // The last record of a log stays, and so does what a transaction holds.
        const goes = offset < log.stable - 1 && (at < oldest || (every > 0 && at % every === 0));
        if (goes && input !== undefined) gone.push(input);
        return !goes;
      });
      log.entries.splice(0, log.entries.length, ...kept);
    }
    return gone;
  }

  /** Deleted, and made again with as many partitions: offsets begin anew. */
  remake(): void {
    const { length } = this.partitions;
    this.partitions.length = 0;
    this.id++;
    this.grow(length);
  }

  /** What it has, also of transactions that are open. */
  get inputs(): LedgerInput[] {
    return this.partitions.flatMap(({ entries }) => entries.flatMap(({ input }) => input ?? []));
  }

  onCommit(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => void this.#waiting.delete(wake);
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

type Offsets = Record<string, number>;
/** The offsets, and the id of the topic that they count in. */
type Found =
  | { readonly partition: number; readonly from: number; readonly entries: readonly Entry[]; readonly next: number }
  | { readonly otherId: number };
const fetchTimeoutMs = 5_000;
const idleMs = 2_000;

export interface TopicEvents {
  readonly acknowledged: (ids: readonly string[]) => void;
  /** A person has said that these are not read. */
  readonly givenUp: (inputs: readonly LedgerInput[]) => void;
  readonly losses: SourceLossPort;
}

/** One slot's share: the partitions p with p mod slots = slot. */
export class TopicReader implements SourceReaderPort {
  readonly #topic: Topic;
  readonly #broker: Remote;
  readonly #machine: Machine;
  readonly #slot: number;
  readonly #slots: number;
  readonly #maxRecords: number;
  #offsets: Offsets;
  #topicId: number;
  readonly #events: TopicEvents;
  #turn = 0;
  #handed: { readonly id: string; readonly partition: number; readonly offset: number }[] = [];

  constructor(
    topic: Topic,
    broker: Remote,
    machine: Machine,
    share: { readonly slot: number; readonly slots: number; readonly maxRecords: number },
    position: Position | undefined,
    events: TopicEvents,
  ) {
    this.#topic = topic;
    this.#broker = broker;
    this.#machine = machine;
    this.#slot = share.slot;
    this.#slots = share.slots;
    this.#maxRecords = share.maxRecords;
    const { topic: id = topic.id, ...offsets } = isOffsets(position) ? position : {};
    this.#topicId = id;
    this.#offsets = offsets;
    this.#events = events;
  }

  async read(signal: AbortSignal): Promise<RecordBatch> {
    for (;;) {
      signal.throwIfAborted();
      const batch = await this.#fetch(signal);
      if (batch !== undefined) return batch;
      await this.#arrival(signal);
    }
  }

  acknowledge(position: Position): void {
    // Of the topic before: what was handed out since is counted in another.
    if (!isOffsets(position) || position['topic'] !== this.#topicId) return;
    const isCovered = (one: { partition: number; offset: number }) => one.offset < (position[one.partition] ?? 0);
    this.#events.acknowledged(this.#handed.filter(isCovered).map(({ id }) => id));
    this.#handed = this.#handed.filter((one) => !isCovered(one));
  }

  lag(): number {
    return this.#own.reduce((sum, partition) => {
      const log = this.#topic.partitions[partition]!;
      return sum + Math.max(0, log.stable - (this.#offsets[partition] ?? 0));
    }, 0);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  get #own(): number[] {
    return this.#topic.partitions.map((_, index) => index).filter((index) => index % this.#slots === this.#slot);
  }

  async #fetch(signal: AbortSignal): Promise<RecordBatch | undefined> {
    const own = this.#own;
    const first = this.#turn++;
    let found: Found | undefined;
    try {
      found = await this.#broker.call<Found | undefined>(
        this.#machine,
        'fetch',
        () => {
          if (this.#topic.id !== this.#topicId) return { otherId: this.#topic.id };
          for (let index = 0; index < own.length; index++) {
            const partition = own[(first + index) % own.length]!;
            const log = this.#topic.partitions[partition]!;
            const from = this.#offsets[partition] ?? 0;
            if (log.stable > from) return { partition, from, ...visible(log, from, this.#maxRecords) };
          }
          return undefined;
        },
        { timeoutMs: fetchTimeoutMs, signal },
      );
    } catch (error) {
      signal.throwIfAborted();
      throw mr('MR_SOURCE_UNREACHABLE', { source: this.#topic.name, server: 'kafka:9092', problem: problemOf(error) });
    }
    if (found === undefined) return undefined;
    if ('otherId' in found) return this.#goOnIn(found.otherId);
    return this.#batchOf(found.partition, found.entries, found.next);
  }

  /** A person decides; what was decided is handed out before any record, as connectors/kafka does (R2). */
  async #goOnIn(id: number): Promise<RecordBatch> {
    const { name } = this.#topic;
    const choice = await this.#events.losses.choiceAbout({
      found: `topic ${id} in place of ${this.#topicId}`,
      position: `a position in topic ${name}`,
      problem: 'it was made anew',
      acceptLoss: 'goes on after what is there',
      reread: 'reads it from its start',
    });
    this.#topicId = id;
    this.#handed = [];
    this.#offsets = {};
    for (const partition of this.#own) {
      const log = this.#topic.partitions[partition]!;
      this.#offsets[partition] = choice === 'reread' ? 0 : log.stable;
      const skipped = log.entries.filter(({ offset }) => offset < this.#offsets[partition]!);
      this.#events.givenUp(skipped.flatMap(({ input }) => (input === undefined ? [] : [input])));
    }
    const position = this.#position;
    return batchOf([], { partition: 0, positionAfter: () => position, position });
  }

  get #position(): Position {
    return { ...this.#offsets, topic: this.#topicId };
  }

  #batchOf(partition: number, entries: readonly Entry[], next: number): RecordBatch {
    const inputs = entries.flatMap(({ offset, input }) => (input === undefined ? [] : [{ offset, input }]));
    const base = { ...this.#offsets, topic: this.#topicId };
    const at = (offset: number): Position => ({ ...base, [partition]: offset });
    this.#offsets[partition] = next;
    for (const { offset, input } of inputs) this.#handed.push({ id: input.id, partition, offset });
    return batchOf(
      inputs.map(({ offset, input }) => ({ value: textOf(input), offset: BigInt(offset) })),
      { partition, positionAfter: (index) => at(inputs[index]!.offset + 1), position: at(next) },
    );
  }

  #arrival(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        unwatch();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.#machine.after(idleMs, done);
      const unwatch = this.#topic.onCommit(() => {
        unwatch();
        this.#machine.after(0, done);
      });
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

function visible(log: Partition, from: number, limit: number): { entries: Entry[]; next: number } {
  const entries = log.entries.filter(({ offset }) => offset >= from && offset < log.stable).slice(0, limit);
  const last = entries.at(-1);
  // The gap behind the last record belongs to the answer when nothing else is left.
  const next = last === undefined || entries.length < limit ? log.stable : last.offset + 1;
  return { entries, next };
}

function isOffsets(position: Position | undefined): position is Offsets {
  return typeof position === 'object' && position !== null && !Array.isArray(position);
}
