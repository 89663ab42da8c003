/**
 * One slot's reader: its partitions, fetched from their leaders, handed out batch by batch.
 *
 * R1  Each partition is handed out in offset order without a gap: a section is read only if it starts at the
 *     partition's offset, whichever leader it came from.
 * R2  A batch's position names every partition of the slot whose start is known, so that no restart chooses again
 *     between earliest and latest. The place where reading started at the latest, or to which a person's decision
 *     moved it, is handed out before any record.
 * R3  A failure is thrown once it is more than a passing one; fetched records stay, and `read` continues after it.
 */
import type { Logger } from 'pino';
import { mr, problemOf } from '../../model/errors.ts';
import type { Position, RecordBatch } from '../../stream/record-batch.ts';
import type { WallClock } from '../../model/clock.ts';
import type { SourceReader } from '../connector.ts';
import { emptyBatch, kafkaBatch } from './batch.ts';
import { brokerError, type Cluster } from './cluster.ts';
import type { GroupCommits } from './commits.ts';
import { parseFailure, type KafkaFailureContext } from './failures.ts';
import { Leader, type FetchLimits, type LeaderEvents, type Section } from './leader.ts';
import type { Partition } from './partition.ts';
import { parsePosition } from './position.ts';
import { RecordTables } from './record-tables.ts';
import { SlotPartitions, type SlotOptions } from './slot-partitions.ts';
import type { Topic } from './topic.ts';
import { abortable, Wake } from './wake.ts';

export interface ReaderOptions extends SlotOptions {
  readonly limits: FetchLimits;
  readonly cluster: Cluster;
  readonly topic: Topic;
  readonly commits: GroupCommits;
  readonly clock: WallClock;
  readonly log: Logger;
  readonly failure: KafkaFailureContext;
  readonly onClose: (reader: KafkaReader) => void;
}

/** Between two checks for a moved leader, so that a stale answer causes no busy loop. */
const pauseMs = 100;
/** Consecutive failures of one leader before the stage is notified. */
const passingFailures = 2;

const offsetOutOfRange = 1;
const leaderNotAvailable = 5;
/**
 * Unknown partition, no leader, not the leader, no replica, fenced or unknown epoch, unknown or other id: it is old.
 */
const staleMetadata: ReadonlySet<number> = new Set([3, 5, 6, 9, 74, 75, 76, 100, 103]);

export class KafkaReader implements SourceReader, LeaderEvents {
  readonly #options: ReaderOptions;
  readonly #slot: SlotPartitions;
  readonly #tables = new RecordTables();
  readonly #wake = new Wake();
  readonly #leaders = new Map<number, Leader>();
  readonly #failures = new Map<number, { count: number; error: unknown }>();
  readonly #stopListening: () => void;
  readonly #closed = new AbortController();
  #settling: Promise<void> | undefined;
  #turn = 0;
  #mustAdopt = true;
  #mustLook = false;
  #mustPause = false;
  #mustAnnounce = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#slot = new SlotPartitions(options, options.topic, options.cluster, options.log);
    this.#stopListening = options.topic.onLook(() => {
      this.#mustAdopt = true;
      this.#wake.notify();
    });
  }

  async read(signal: AbortSignal): Promise<RecordBatch | undefined> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#mustSettle) await this.#settle(signal);
      const batch = this.#takeBatch();
      this.#startFetches();
      if (batch !== undefined) return batch;
      if (!this.#mustSettle) await this.#wake.wait(signal);
    }
  }

  acknowledge(position: Position): void {
    this.#options.commits.note(parsePosition(position).offsets);
  }

  lag(): number | undefined {
    return this.#slot.lag;
  }

  /** For the lag while nothing is fetched: see {@link SlotPartitions.refreshEnds}. */
  refreshEnds(olderThanMs: number): Promise<void> {
    const now = this.#options.clock.now();
    return this.#slot.refreshEnds(now - olderThanMs, now);
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#closed.abort();
    this.#options.onClose(this);
    for (const leader of this.#leaders.values()) leader.close();
    await this.#options.commits.flush();
  }

  // -- handing out -------------------------------------------------------------------------------------------------

  #takeBatch(): RecordBatch | undefined {
    if (this.#mustAnnounce) {
      this.#mustAnnounce = false;
      return emptyBatch(this.#tables, this.#slot.positions);
    }
    for (let section = this.#takeSection(); section !== undefined; section = this.#takeSection()) {
      const batch = this.#batchOf(section);
      if (batch !== undefined) return batch;
    }
    return undefined;
  }

  /** Leaders take turns. */
  #takeSection(): Section | undefined {
    const leaders = [...this.#leaders.values()];
    for (let tries = 0; tries < leaders.length; tries++) {
      this.#turn = (this.#turn + 1) % leaders.length;
      const section = leaders[this.#turn]?.take();
      if (section !== undefined) return section;
    }
    return undefined;
  }

  #batchOf(section: Section): RecordBatch | undefined {
    const { partition, records, leader } = section;
    if (section.from !== partition.position) return undefined;
    const piece = this.#decode(section);
    if (piece === undefined) return undefined;
    const hasMoved = records.position > section.from;
    partition.position = records.position;
    section.from = records.position;
    leader.putBack(section);
    if (!hasMoved) return undefined;
    return kafkaBatch(this.#tables, piece.bytes, partition.id, this.#slot.positions);
  }

  #decode({ partition, records, from, leader }: Section) {
    try {
      return records.next(this.#tables);
    } catch (error) {
      leader.forget(partition);
      partition.moveTo(from);
      const { source, topic } = this.#options.failure;
      const position = `offset ${from} of partition ${partition.id} of topic "${topic}"`;
      throw mr('MR_SOURCE_UNREADABLE', { source, position, problem: problemOf(error) }, { cause: error });
    }
  }

  #startFetches(): void {
    const { cluster, limits } = this.#options;
    for (const [node, partitions] of Map.groupBy(this.#slot.all, ({ leader }) => leader)) {
      if (node === undefined) continue;
      let leader = this.#leaders.get(node);
      if (leader === undefined) {
        leader = new Leader(node, cluster, this.#slot.fetchedTopic, limits, this);
        this.#leaders.set(node, leader);
      }
      leader.fetch(partitions);
    }
  }

  // -- knowing where things are ------------------------------------------------------------------------------------

  get #mustSettle(): boolean {
    return this.#mustAdopt || this.#mustLook || !this.#slot.isSettled;
  }

  /**
   * Everything that needs an answer of the cluster before fetches can continue; rejects with what the stage should
   * show. An aborted read leaves it running, and the next read waits for the same one: two at once would move
   * partitions that are already being read.
   */
  #settle(signal: AbortSignal): Promise<void> {
    this.#settling ??= this.#settleOnce().finally(() => {
      this.#settling = undefined;
    });
    return abortable(this.#settling, signal);
  }

  async #settleOnce(): Promise<void> {
    try {
      if (this.#mustPause) await this.#options.clock.sleep(pauseMs, this.#closed.signal);
      this.#mustPause = false;
      if (this.#mustLook) await this.#options.topic.refresh();
      this.#mustLook = false;
      this.#mustAdopt = false;
      if (await this.#slot.settleTopic()) this.#dropLeaders();
      this.#adoptLeaders();
      this.#throwLastingFailure();
      await this.#slot.findStarts();
      await this.#slot.settleLost();
      if (this.#slot.takeNews()) this.#mustAnnounce = true;
    } catch (error) {
      this.#lookSoon();
      throw parseFailure(error, this.#options.failure);
    }
  }

  #adoptLeaders(): void {
    for (const partition of this.#slot.adopt()) {
      for (const leader of this.#leaders.values()) leader.forget(partition);
      if (partition.position !== undefined) partition.moveTo(partition.position);
    }
    const leading = new Set(this.#slot.all.map(({ leader }) => leader));
    for (const [node, leader] of this.#leaders) {
      if (leading.has(node)) continue;
      leader.close();
      this.#leaders.delete(node);
      this.#failures.delete(node);
    }
    if (this.#slot.isLeaderless) throw brokerError(leaderNotAvailable);
  }

  /** What they have fetched and what is in flight is of another topic. */
  #dropLeaders(): void {
    for (const leader of this.#leaders.values()) leader.close();
    this.#leaders.clear();
    this.#failures.clear();
  }

  #throwLastingFailure(): void {
    for (const failure of this.#failures.values()) {
      if (failure.count < passingFailures) continue;
      failure.count = passingFailures - 1;
      throw failure.error;
    }
  }

  #lookSoon(): void {
    this.#mustLook = true;
    this.#mustPause = true;
  }

  // -- what leaders tell -------------------------------------------------------------------------------------------

  changed(): void {
    this.#wake.notify();
  }

  answered(node: number): void {
    this.#failures.delete(node);
  }

  sawEnd(partition: Partition, end: number): void {
    partition.end = end;
    partition.endKnownAt = this.#options.clock.now();
  }

  refused(node: number, partition: Partition, errorCode: number): void {
    if (errorCode === offsetOutOfRange) partition.isOutOfRange = true;
    else if (staleMetadata.has(errorCode)) this.#lookSoon();
    else this.#failures.set(node, { count: passingFailures, error: brokerError(errorCode) });
    if (!this.#mustLook) this.#mustAdopt = true;
  }

  failed(node: number, error: unknown): void {
    const count = (this.#failures.get(node)?.count ?? 0) + 1;
    this.#failures.set(node, { count, error });
    this.#lookSoon();
  }
}
