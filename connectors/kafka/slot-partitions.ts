/**
 * The partitions of one slot: which exist, who leads them, where each starts, and what to do when that place is gone.
 *
 * S1  A partition without a stored position starts where the spec says if the slot has no position at all; if the
 *     slot has one, the partition is newer than that position and is read from its start.
 * S2  An offset that the topic no longer has stops the slot until a person decides (`onPositionLost: Stop`), or is
 *     replaced, with a warning.
 * S3  A position belongs to one topic, by its id. When another topic has the name, nothing of it is read before that is
 *     decided like S2; then all partitions start again.
 */
import type { Logger } from 'pino';
import type { DecisionChoice } from '../../model/decision.ts';
import { counted } from '../../model/text.ts';
import type { Position } from '../../stream/record-batch.ts';
import type { SourceLossPort } from '../../stream/source-port.ts';
import type { Cluster } from './cluster.ts';
import { Partition } from './partition.ts';
import { isOfSlot, parsePosition, type StoredPosition } from './position.ts';
import type { Topic } from './topic.ts';

export interface SlotOptions {
  readonly slot: number;
  readonly slots: number;
  readonly position: Position | undefined;
  readonly startFrom: 'Earliest' | 'Latest';
  readonly onPositionLost: 'Stop' | 'Earliest' | 'Latest';
  readonly losses: SourceLossPort;
}

type Start = 'earliest' | 'latest';

interface Lost {
  readonly partition: Partition;
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

export class SlotPartitions {
  readonly #options: SlotOptions;
  readonly #topic: Topic;
  readonly #cluster: Cluster;
  readonly #log: Logger;
  readonly #byId = new Map<number, Partition>();
  /** By partition, only those of this slot. */
  #stored: ReadonlyMap<number, number>;
  /** The topic to which the positions belong. Undefined: not known yet. */
  #topicId: string | undefined;
  /** Of partitions without a stored position. */
  #start: Start;
  #hasNews = false;
  #hasAdopted = false;

  constructor(options: SlotOptions, topic: Topic, cluster: Cluster, log: Logger) {
    this.#options = options;
    this.#topic = topic;
    this.#cluster = cluster;
    this.#log = log;
    const { position, slot, slots, startFrom } = options;
    const { offsets, topicId } = position === undefined ? { offsets: [], topicId: undefined } : parsePosition(position);
    this.#stored = new Map([...offsets].filter(([id]) => isOfSlot(id, slot, slots)));
    this.#topicId = topicId;
    this.#start = this.#stored.size > 0 || startFrom === 'Earliest' ? 'earliest' : 'latest';
  }

  get all(): readonly Partition[] {
    return [...this.#byId.values()];
  }

  /** No answer of the cluster is needed. A partition without a leader delays no other. */
  get isSettled(): boolean {
    return this.all.every((each) => each.leader === undefined || (each.fetchAt !== undefined && !each.isOutOfRange));
  }

  /** There are partitions and none of them can be read. */
  get isLeaderless(): boolean {
    return this.#byId.size > 0 && this.all.every((each) => each.leader === undefined);
  }

  get positions(): StoredPosition {
    const position: Record<string, number | string> = {};
    for (const { id, position: offset } of this.#byId.values()) {
      if (offset !== undefined) position[String(id)] = offset;
    }
    if (this.#topicId !== undefined) position['topic'] = this.#topicId;
    return position;
  }

  /** The topic whose offsets are to be fetched. */
  get fetchedTopic(): { readonly name: string; readonly id: string | undefined } {
    return { name: this.#topic.name, id: this.#topicId };
  }

  /** True once, when the position contains something that no record will carry: it must be stored by itself. */
  takeNews(): boolean {
    const hasNews = this.#hasNews;
    this.#hasNews = false;
    return hasNews;
  }

  /** undefined: no waiting record is known, and not every partition is known. */
  get lag(): number | undefined {
    if (!this.#hasAdopted) return undefined;
    const known = this.all.flatMap(({ lag }) => (lag === undefined ? [] : [lag]));
    const sum = known.reduce((total, lag) => total + lag, 0);
    return sum > 0 || known.length === this.#byId.size ? sum : undefined;
  }

  /** S3. True: the slot starts again, and what was fetched is no longer its own. Throws MR_SOURCE_POSITION_LOST. */
  async settleTopic(): Promise<boolean> {
    for (;;) {
      const { id } = this.#topic.current;
      if (id === undefined || id === this.#topicId) return false;
      const hasRead = this.#stored.size > 0 || this.#byId.size > 0;
      if (this.#topicId === undefined || !hasRead) {
        this.#topicId = id;
        this.#hasNews ||= hasRead;
        return false;
      }
      const start = await this.#startInAnother(this.#topicId, id);
      if (this.#topic.current.id !== id) continue;
      this.#log.warn(
        { topic: this.#topic.name, before: this.#topicId, id, start },
        'another topic has the name, read anew',
      );
      this.#beginAnew(id, start);
      return true;
    }
  }

  async #startInAnother(before: string, id: string): Promise<Start> {
    const choice = await this.#choose({
      found: `topic ${before} is ${id}`,
      position: `topic "${this.#topic.name}" of id ${before}, which it has read`,
      problem: `the topic of that name has id ${id}: it was deleted and recreated, or is of another cluster`,
      acceptLoss: 'continues with what arrives in that topic from then on',
      reread: 'reads that topic from its start, and may write records twice',
    });
    return choice === 'accept-loss' || choice === 'Latest' ? 'latest' : 'earliest';
  }

  #beginAnew(id: string, start: Start): void {
    this.#topicId = id;
    this.#start = start;
    this.#stored = new Map();
    this.#byId.clear();
    this.#hasNews = true;
  }

  #choose(lost: Parameters<SourceLossPort['choiceAbout']>[0]): Promise<DecisionChoice | 'Earliest' | 'Latest'> {
    const { onPositionLost, losses } = this.#options;
    return onPositionLost === 'Stop' ? losses.choiceAbout(lost) : Promise.resolve(onPositionLost);
  }

  /** Takes over what the topic knows. Returns the partitions that another broker led before. */
  adopt(): readonly Partition[] {
    const moved: Partition[] = [];
    for (const [id, leader] of this.#topic.current.leaders) {
      if (!isOfSlot(id, this.#options.slot, this.#options.slots)) continue;
      const partition = this.#byId.get(id) ?? this.#add(id);
      if (partition.leader === leader) continue;
      if (partition.leader !== undefined) moved.push(partition);
      partition.leader = leader;
      if (leader === undefined)
        this.#log.warn({ partition: id }, 'partition has no leader, the others are read meanwhile');
    }
    this.#start = 'earliest';
    this.#hasAdopted = true;
    return moved;
  }

  #add(id: number): Partition {
    const partition = new Partition(id, this.#stored.get(id), this.#start);
    this.#byId.set(id, partition);
    return partition;
  }

  /** Asks where the partitions without a position start. */
  async findStarts(): Promise<void> {
    for (const start of ['earliest', 'latest'] as const) {
      const without = this.all.filter((each) => each.fetchAt === undefined && each.start === start);
      for (const [partition, offset] of await this.#offsets(without, start)) {
        partition.moveTo(offset);
        this.#hasNews ||= start === 'latest';
      }
    }
  }

  /** Decides about positions that the topic does not have. Throws MR_SOURCE_POSITION_LOST. */
  async settleLost(): Promise<void> {
    const out = this.all.filter((each) => each.isOutOfRange);
    if (out.length === 0) return;
    const earliest = await this.#offsets(out, 'earliest');
    const latest = await this.#offsets(out, 'latest');
    const lost: Lost[] = [];
    for (const partition of out) {
      const from = earliest.get(partition);
      const to = latest.get(partition);
      const at = partition.position ?? 0;
      if (from === undefined || to === undefined) continue;
      if (at >= from && at <= to) partition.moveTo(at);
      else lost.push({ partition, at, from, to });
    }
    const [first] = lost;
    if (first === undefined) return;
    const choice = await this.#choose(this.#questionOf(first, lost.length - 1));
    for (const one of lost) this.#goOn(one, choice);
  }

  #questionOf({ partition, at, from, to }: Lost, more: number) {
    const others = more === 0 ? '' : ` (and the same holds for ${counted(more, 'more partition')})`;
    return {
      found: `offset ${at} of partition ${partition.id}`,
      position: `offset ${at} of partition ${partition.id} of topic "${this.#topic.name}"`,
      problem: `the partition has offsets ${from} to ${to} now${others}`,
      acceptLoss: `continues at offset ${at < from ? from : to}`,
      reread: `reads from offset ${from}${at < from ? '' : ', and may write records twice'}`,
    };
  }

  #goOn({ partition, at, from, to }: Lost, choice: DecisionChoice | 'Earliest' | 'Latest'): void {
    const goesToEnd = choice === 'Latest' || (choice === 'accept-loss' && at > to);
    partition.moveTo(goesToEnd ? to : from);
    this.#hasNews = true;
    this.#log.warn({ partition: partition.id, lost: at, earliest: from, latest: to, choice }, 'position lost, decided');
  }

  /** Refreshes the ends of partitions that no fetch has reported since `before`: unread records still count as lag. */
  async refreshEnds(before: number, now: number): Promise<void> {
    const unheard = this.all.filter((each) => each.endKnownAt < before);
    for (const [partition, end] of await this.#offsets(unheard, 'latest')) {
      partition.end = Math.max(end, partition.end ?? 0);
      partition.endKnownAt = now;
    }
  }

  async #offsets(of: readonly Partition[], which: 'earliest' | 'latest'): Promise<Map<Partition, number>> {
    const found = new Map<Partition, number>();
    const led = Map.groupBy(of, (partition) => partition.leader);
    for (const [leader, partitions] of led) {
      if (leader === undefined) continue;
      const ids = partitions.map(({ id }) => id);
      const offsets = await this.#cluster.listOffsets(leader, this.#topic.name, ids, which);
      for (const partition of partitions) {
        const offset = offsets.get(partition.id);
        if (offset !== undefined && offset >= 0) found.set(partition, offset);
      }
    }
    return found;
  }
}
