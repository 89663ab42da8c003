/**
 * The position of a slot: the next offset of each of its partitions, `{"0": 17, "4": 3}`.
 *
 * O1  Partition p belongs to slot p mod slots; entries of other slots' partitions are ignored.
 * O2  Offsets only grow when positions are merged: a late acknowledgement never takes one back.
 */
import { z } from 'zod';
import type { Position } from '../../stream/record-batch.ts';

export type Offsets = Readonly<Record<string, number>>;

const stored = z.record(z.string().regex(/^[0-9]+$/), z.int().min(0));

/** The offsets in a stored position. Throws when it is none of this source's. */
export function offsetsOf(position: Position): ReadonlyMap<number, number> {
  return new Map(Object.entries(stored.parse(position)).map(([partition, offset]) => [Number(partition), offset]));
}

export function isOfSlot(partition: number, slot: number, slots: number): boolean {
  return partition % slots === slot;
}

/** Moves `into` forward to `offsets`. */
export function advance(into: Map<number, number>, offsets: ReadonlyMap<number, number>): void {
  for (const [partition, offset] of offsets) {
    if (offset > (into.get(partition) ?? -1)) into.set(partition, offset);
  }
}
