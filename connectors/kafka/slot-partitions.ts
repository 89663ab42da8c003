/**
 * The partitions of one slot: which there are, who leads them, where each begins, and what to do when that is gone.
 *
 * S1  A partition without a stored position begins where the spec says if the slot itself has none; if the slot has
 *     one, the partition is newer than it and begins at its start.
 * S2  An offset that the topic no longer has stops the slot (`onPositionLost: Stop`) or is replaced, with a warning.
 */
import type { Logger } from 'pino';
import { mr } from '../../model/errors.ts';
import type { Position } from '../../stream/record-batch.ts';
import type { Cluster } from './cluster.ts';
import { Partition } from './partition.ts';
import { isOfSlot, offsetsOf, type Offsets } from './position.ts';
import type { Topic } from './topic.ts';

export interface SlotOptions {
  readonly source: string;
  readonly slot: number;
  readonly slots: number;
  readonly position: Position | undefined;
  readonly startFrom: 'Earliest' | 'Latest';
  readonly onPositionLost: 'Stop' | 'Earliest' | 'Latest';
}

export class SlotPartitions {
  private readonly options: SlotOptions;
  private readonly topic: Topic;
  private readonly cluster: Cluster;
  private readonly log: Logger;
  private readonly byId = new Map<number, Partition>();
  private readonly stored: ReadonlyMap<number, number>;
  private hasStarted: boolean;

  constructor(options: SlotOptions, topic: Topic, cluster: Cluster, log: Logger) {
    this.options = options;
    this.topic = topic;
    this.cluster = cluster;
    this.log = log;
    this.stored = options.position === undefined ? new Map() : offsetsOf(options.position);
    this.hasStarted = [...this.stored.keys()].some((id) => isOfSlot(id, options.slot, options.slots));
  }

  get all(): readonly Partition[] {
    return [...this.byId.values()];
  }

  /** Nothing needs an answer of the cluster. A partition without leader holds up no other. */
  get isSettled(): boolean {
    return this.all.every((each) => each.leader === undefined || (each.fetchAt !== undefined && !each.isOutOfRange));
  }

  /** There are partitions and none of them can be read. */
  get isLeaderless(): boolean {
    return this.byId.size > 0 && this.all.every((each) => each.leader === undefined);
  }

  get positions(): Offsets {
    const offsets: Record<string, number> = {};
    for (const { id, position } of this.byId.values()) {
      if (position !== undefined) offsets[String(id)] = position;
    }
    return offsets;
  }

  /** undefined: nothing is known to wait, and not every partition is known. */
  get lag(): number | undefined {
    const known = this.all.flatMap(({ lag }) => (lag === undefined ? [] : [lag]));
    const sum = known.reduce((total, lag) => total + lag, 0);
    return sum > 0 || known.length === this.byId.size ? sum : undefined;
  }

  /** Takes over what the topic knows. Returns the partitions that another broker led before. */
  adopt(): readonly Partition[] {
    const moved: Partition[] = [];
    for (const [id, leader] of this.topic.current) {
      if (!isOfSlot(id, this.options.slot, this.options.slots)) continue;
      const partition = this.byId.get(id) ?? this.add(id);
      if (partition.leader === leader) continue;
      if (partition.leader !== undefined) moved.push(partition);
      partition.leader = leader;
      if (leader === undefined)
        this.log.warn({ partition: id }, 'partition has no leader, the others are read meanwhile');
    }
    this.hasStarted = true;
    return moved;
  }

  private add(id: number): Partition {
    const start = this.hasStarted || this.options.startFrom === 'Earliest' ? 'earliest' : 'latest';
    const partition = new Partition(id, this.stored.get(id), start);
    this.byId.set(id, partition);
    return partition;
  }

  /** Asks where partitions begin that have no position. Returns true when one begins at its present end. */
  async findStarts(): Promise<boolean> {
    let isLatest = false;
    for (const start of ['earliest', 'latest'] as const) {
      const without = this.all.filter((each) => each.fetchAt === undefined && each.start === start);
      for (const [partition, offset] of await this.offsets(without, start)) {
        partition.moveTo(offset);
        isLatest ||= start === 'latest';
      }
    }
    return isLatest;
  }

  /** Decides about positions that the topic does not have. Throws MR_SOURCE_POSITION_LOST. */
  async settleLost(): Promise<void> {
    const lost = this.all.filter((each) => each.isOutOfRange);
    if (lost.length === 0) return;
    const earliest = await this.offsets(lost, 'earliest');
    const latest = await this.offsets(lost, 'latest');
    for (const partition of lost) {
      const from = earliest.get(partition);
      const to = latest.get(partition);
      if (from !== undefined && to !== undefined) this.settleOne(partition, from, to);
    }
  }

  private settleOne(partition: Partition, earliest: number, latest: number): void {
    const { source, onPositionLost } = this.options;
    const at = partition.position ?? 0;
    if (at >= earliest && at <= latest) return partition.moveTo(at);
    const where = { source, position: `offset ${at} of partition ${partition.id}`, oldest: `offset ${earliest}` };
    if (onPositionLost === 'Stop') throw mr('MR_SOURCE_POSITION_LOST', where);
    partition.moveTo(onPositionLost === 'Earliest' ? earliest : latest);
    this.log.warn({ partition: partition.id, lost: at, earliest, latest }, 'position lost, going on as the spec says');
  }

  /** The ends of partitions that no fetch has told of since `before`: what is not read still counts as lag. */
  async refreshEnds(before: number, now: number): Promise<void> {
    const unheard = this.all.filter((each) => each.endKnownAt < before);
    for (const [partition, end] of await this.offsets(unheard, 'latest')) {
      partition.end = Math.max(end, partition.end ?? 0);
      partition.endKnownAt = now;
    }
  }

  private async offsets(of: readonly Partition[], which: 'earliest' | 'latest'): Promise<Map<Partition, number>> {
    const found = new Map<Partition, number>();
    const led = Map.groupBy(of, (partition) => partition.leader);
    for (const [leader, partitions] of led) {
      if (leader === undefined) continue;
      const ids = partitions.map(({ id }) => id);
      const offsets = await this.cluster.listOffsets(leader, this.topic.name, ids, which);
      for (const partition of partitions) {
        const offset = offsets.get(partition.id);
        if (offset !== undefined && offset >= 0) found.set(partition, offset);
      }
    }
    return found;
  }
}
