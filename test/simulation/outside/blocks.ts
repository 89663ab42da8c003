/** The blocks that a table has stored, by partition, and those whose tokens it remembers. */
import { crc32 } from 'node:zlib';
import type { World } from '../kernel/world.ts';
import type { Row } from './rows.ts';

export interface WindowOptions {
  readonly places: number;
  /** Undefined: it forgets by count alone, as a table without copies does. */
  readonly ms?: number | undefined;
  /** 1: the table has no partitions. */
  readonly mostPartitions: number;
}

interface Entry {
  readonly key: string;
  readonly at: number;
}

export class Blocks {
  readonly #window: WindowOptions;
  readonly #world: World;
  readonly #entries: Entry[] = [];
  readonly #stored = new Map<string, readonly Row[]>();
  readonly #takenOut = new Set<string>();
  #all: { readonly key: string; readonly row: Row }[] = [];
  /** What is dropped takes a number, too. */
  #lastNumber = 0;
  #highest = 0;

  constructor(window: WindowOptions, world: World) {
    this.#window = window;
    this.#world = world;
  }

  /** As connectors/clickhouse/marks.ts counts: parts are numbered from 1, and the highest of those that exist is one more. */
  get count(): number {
    return this.#highest === 0 ? 0 : this.#highest + 1;
  }

  get rows(): readonly Row[] {
    return this.#all.map(({ row }) => row);
  }

  /** Of the blocks whose tokens begin so. */
  rowsOf(beginning: string): Row[] {
    return this.#all.flatMap(({ key, row }) => (key.startsWith(beginning) ? [row] : []));
  }

  textOf(token: string, partition: number): string | undefined {
    return this.#stored
      .get(keyOf(token, partition))
      ?.map((row) => row.text)
      .join('\n');
  }

  /** Whether it was taken. `isLate`: not a second time, though it is forgotten. */
  take(token: string, partition: number, rows: readonly Row[], isLate: boolean): boolean {
    const key = keyOf(token, partition);
    this.#lastNumber++;
    if (this.#remembers(key) || (isLate && (this.#stored.has(key) || this.#takenOut.has(token)))) return false;
    this.#entries.push({ key, at: this.#world.now });
    this.#stored.set(key, rows);
    for (const row of rows) this.#all.push({ key, row });
    this.#highest = this.#lastNumber;
    return true;
  }

  /** Whether it has blocks of the token, and would drop each of them. */
  isSureOf(token: string): boolean {
    const keys = [...this.#stored.keys()].filter((key) => key.startsWith(`${token}/`));
    return keys.length > 0 && keys.every((key) => this.#remembers(key));
  }

  /** Removes what there is of a block, and all memory of it. */
  takeOut(token: string): readonly Row[] {
    const keys = [...this.#stored.keys()].filter((key) => key.startsWith(`${token}/`));
    const rows = keys.flatMap((key) => this.#stored.get(key) ?? []);
    for (const key of keys) this.#stored.delete(key);
    for (const [at, entry] of this.#entries.entries())
      if (keys.includes(entry.key)) this.#entries[at] = { key: '', at: entry.at };
    this.#all = this.#all.filter(({ row }) => !rows.includes(row));
    this.#takenOut.add(token);
    return rows;
  }

  #remembers(key: string): boolean {
    const { places, ms = Infinity } = this.#window;
    const since = this.#world.now - ms;
    return this.#entries.slice(-places).some((entry) => entry.key === key && entry.at >= since);
  }
}

/** In the order in which they come in the block. `laneOf`: what stays together. */
export function partitionsOf(
  rows: readonly Row[],
  most: number,
  laneOf: (id: string) => string,
): ReadonlyMap<number, readonly Row[]> {
  const partitions = new Map<number, Row[]>();
  for (const row of rows) {
    const partition = partitionOf(laneOf(row.id), most);
    const some = partitions.get(partition);
    if (some === undefined) partitions.set(partition, [row]);
    else some.push(row);
  }
  return partitions;
}

/** Rows between which there is an order stay together (I3): the partitions of a block have none. */
export function partitionOf(lane: string, most: number): number {
  return crc32(lane) % most;
}

function keyOf(token: string, partition: number): string {
  return `${token}/${partition}`;
}
