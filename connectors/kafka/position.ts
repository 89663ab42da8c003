/**
 * The position of a slot: the next offset of each of its partitions, and the id of the topic that they count in,
 * `{"0": 17, "4": 3, "topic": "kBZ4Z…"}`.
 *
 * O1  Partition p belongs to slot p mod slots; entries of other slots' partitions are ignored.
 * O2  Offsets only grow when positions are merged: a late acknowledgement never lowers one.
 * O3  A position without an id is of version 0.1, or of a cluster without ids; it is assumed to belong to the existing
 *     topic.
 */
import { z } from 'zod';
import type { Position } from '../../stream/record-batch.ts';

export interface SlotPosition {
  readonly offsets: ReadonlyMap<number, number>;
  readonly topicId: string | undefined;
}

const offsets = z.record(z.string().regex(/^[0-9]+$/), z.int().min(0));
const stored = z.looseObject({ topic: z.string().optional() });

/** Throws when it is not a position of this source. */
export function parsePosition(position: Position): SlotPosition {
  const { topic: topicId, ...rest } = stored.parse(position);
  const entries = Object.entries(offsets.parse(rest));
  return { topicId, offsets: new Map(entries.map(([partition, offset]) => [Number(partition), offset])) };
}

/** In its stored form. */
export type StoredPosition = Readonly<Record<string, number | string>>;

export function isOfSlot(partition: number, slot: number, slots: number): boolean {
  return partition % slots === slot;
}

/** Moves `into` forward to `offsets`. */
export function advance(into: Map<number, number>, offsets: ReadonlyMap<number, number>): void {
  for (const [partition, offset] of offsets) {
    if (offset > (into.get(partition) ?? -1)) into.set(partition, offset);
  }
}
