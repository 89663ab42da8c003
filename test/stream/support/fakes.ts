/** A source and a sink in memory, which behave as the contracts in connectors/connector.ts ask. */
import { setTimeout as delay } from 'node:timers/promises';
import { mr, type MillraceError } from '../../../model/errors.ts';
import type { RecordMeta, RecordObject } from '../../../model/value.ts';
import type { Position, RecordBatch } from '../../../stream/record-batch.ts';
import type { BatchRange, RefusedRow, RowBufferPort, SinkProgram, SinkSlotPort } from '../../../stream/sink-port.ts';
import type { SlotObserver, Waiter } from '../../../stream/slot-observer.ts';
import type { SourceReaderPort } from '../../../stream/source-port.ts';
import { batchOf, type PlainRecord } from './batches.ts';

/** Records `0 … total-1` of one slot, in batches; the position is the next number. Waits when `available` is reached. */
export class NumberSource implements SourceReaderPort {
  readonly acknowledged: number[] = [];
  readonly blocked: boolean[] = [];
  failWith: MillraceError | undefined;
  isBounded = false;
  #next: number;
  readonly #record: (n: number) => PlainRecord;
  readonly #batch: number;
  readonly available: () => number;

  constructor(
    position: Position | undefined,
    options: { record?: (n: number) => PlainRecord; batch?: number; available: () => number },
  ) {
    this.#next = typeof position === 'number' ? position : 0;
    this.#record = options.record ?? ((n) => ({ value: JSON.stringify({ n }), offset: BigInt(n) }));
    this.#batch = options.batch ?? 7;
    this.available = options.available;
  }

  async read(signal: AbortSignal): Promise<RecordBatch | undefined> {
    for (;;) {
      signal.throwIfAborted();
      if (this.failWith !== undefined) throw this.failWith;
      const first = this.#next;
      const count = Math.min(this.#batch, this.available() - first);
      if (count > 0) {
        this.#next += count;
        return batchOf(
          Array.from({ length: count }, (_, index) => this.#record(first + index)),
          {
            partition: 0,
            positionAfter: (index) => first + index + 1,
          },
        );
      }
      if (this.isBounded) return undefined;
      await delay(2, undefined, { signal });
    }
  }

  acknowledge(position: Position): void {
    if (typeof position === 'number') this.acknowledged.push(position);
  }

  setBlocked(blocked: boolean): void {
    this.blocked.push(blocked);
  }

  lag(): number {
    return this.available() - this.#next;
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

export interface StoredRow {
  readonly value: RecordObject;
  readonly partition: number | null;
  readonly offset: bigint | null;
}

/** A table that drops a block whose token it has seen, as ClickHouse does; refuses rows with `refuse: true`. */
export class MemoryTable {
  readonly rows: StoredRow[] = [];
  readonly tokens = new Set<string>();
  position = 0;
  writes = 0;
  failWith: MillraceError | undefined;
  /** Awaited before rows are stored. */
  beforeWrite: (() => Promise<void>) | undefined;
  /** Awaited after rows are stored, before the writer hears of it. */
  afterWrite: (() => Promise<void>) | undefined;

  slot(positionIn: 'commitLog' | 'sink' = 'commitLog'): SinkSlotPort<MemoryRows> {
    return {
      positionIn,
      storedPosition: () => Promise.resolve(this.position),
      newRows: () => new MemoryRows(),
      write: (rows, id) => this.#write(rows, id, positionIn),
      close: () => Promise.resolve(),
    };
  }

  async #write(rows: MemoryRows, id: BatchRange, positionIn: 'commitLog' | 'sink'): Promise<RefusedRow[]> {
    this.writes++;
    await this.beforeWrite?.();
    if (this.failWith !== undefined) throw this.failWith;
    const refused = rows.list.flatMap(({ value }, row) =>
      value['refuse'] === true
        ? [{ row, error: mr('MR_RECORD_REFUSED', { sink: 'warehouse', problem: 'it says so' }) }]
        : [],
    );
    if (positionIn === 'sink' && this.position !== id.after && this.position !== id.to) {
      throw mr('MR_OWNERSHIP_LOST', { writer: 'sink', expected: id.after });
    }
    const seen = positionIn === 'sink' ? this.position === id.to : this.tokens.has(id.token);
    if (!seen) this.rows.push(...rows.list.filter(({ value }) => value['refuse'] !== true));
    this.tokens.add(id.token);
    this.position = id.to;
    await this.afterWrite?.();
    return refused;
  }
}

export class MemoryRows implements RowBufferPort {
  list: StoredRow[] = [];
  bytes = 0;

  get rows(): number {
    return this.list.length;
  }

  add(value: RecordObject, meta: RecordMeta): void {
    if (value['misfit'] === true) throw mr('MR_RECORD_MISFIT', { field: 'misfit', wanted: 'absent', actual: 'true' });
    this.list.push({ value, partition: meta.partition, offset: meta.offset });
    this.bytes += 100;
  }

  clear(): void {
    this.list = [];
    this.bytes = 0;
  }
}

/** JSON objects; `drop: true` is dropped, `fail: true` fails in step `check`. */
export const jsonProgram: SinkProgram = {
  run(bytes, start, end) {
    const text = end < 0 ? 'null' : Buffer.from(bytes.subarray(start, end)).toString();
    let value: RecordObject;
    try {
      value = JSON.parse(text) as RecordObject;
    } catch {
      throw mr('MR_RECORD_NOT_JSON', { problem: 'it does not parse' });
    }
    if (value['drop'] === true) return undefined;
    if (value['fail'] === true) throw mr('MR_RECORD_EXPRESSION', { step: 'check', problem: 'it says so' });
    return value;
  },
};

/** Remembers what a loop said. */
export class Witness implements SlotObserver {
  readonly connections: (string | undefined)[] = [];
  readonly waits: [Waiter, string | undefined][] = [];
  taken = 0;
  handed = 0;
  droppedRecords = 0;
  dead = 0;
  frames = 0;
  batches = 0;
  last: Position = null;

  connection(error: MillraceError | undefined): void {
    this.connections.push(error?.code);
  }
  waiting(waiter: Waiter, reason: MillraceError | undefined): void {
    this.waits.push([waiter, reason?.code]);
  }
  took(records: number): void {
    this.taken += records;
  }
  handedOn(records: number): void {
    this.handed += records;
  }
  dropped(records: number): void {
    this.droppedRecords += records;
  }
  deadLettered(letters: readonly unknown[]): void {
    this.dead += letters.length;
  }
  frame(): void {
    this.frames++;
  }
  batch(): void {
    this.batches++;
  }
  position(position: Position): void {
    this.last = position;
  }
}
