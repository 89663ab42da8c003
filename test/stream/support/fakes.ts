/** A source and a sink in memory, which behave as the contracts in connectors/connector.ts ask. */
import { setTimeout as delay } from 'node:timers/promises';
import { mr, type MillraceError } from '../../../model/errors.ts';
import type { RecordMeta, RecordObject } from '../../../model/value.ts';
import type { Position, RecordBatch } from '../../../stream/record-batch.ts';
import type {
  BatchRange,
  Begun,
  LostPositionPolicy,
  RefusedRow,
  RowBufferPort,
  SinkProgram,
  SinkSlotPort,
  Verdict,
  WriteEnd,
} from '../../../stream/sink-port.ts';
import type { WrittenBatch } from '../../../stream/sink-write.ts';
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

/**
 * A table that drops a block whose token it has among its last `window` ones, as ClickHouse does; it refuses rows with
 * `refuse: true`, which it finds without storing anything.
 */
export class MemoryTable {
  readonly rows: StoredRow[] = [];
  /** Of every block that was stored, in order. */
  readonly tokens: string[] = [];
  window = Number.POSITIVE_INFINITY;
  position = 0;
  positionToken = '';
  /** Tokens under which other rows came than before. */
  readonly mixed: string[] = [];
  readonly #sent = new Map<string, string>();
  writes = 0;
  failWith: MillraceError | undefined;
  /** What a failing attempt leaves open. */
  failsAs: 'nothing' | 'unknown' = 'nothing';
  onPositionLost: LostPositionPolicy = 'Stop';
  onUncertain: 'Stop' | 'Repeat' | 'Skip' = 'Stop';
  /** Awaited before rows are stored. */
  beforeWrite: (() => Promise<void>) | undefined;
  /** Awaited after rows are stored, before the writer hears of it. */
  afterWrite: (() => Promise<void>) | undefined;

  slot(positionIn: 'commitLog' | 'sink' = 'commitLog'): SinkSlotPort<MemoryRows> {
    const shared = { newRows: () => new MemoryRows(), close: () => Promise.resolve() };
    if (positionIn === 'sink') {
      return {
        ...shared,
        positionIn,
        onPositionLost: this.onPositionLost,
        storedPosition: () => Promise.resolve({ position: this.position, token: this.positionToken }),
        write: (rows, id) => this.#attempt(() => this.#transact(rows, id)),
      };
    }
    return {
      ...shared,
      positionIn,
      mark: () => Promise.resolve({ rows: this.tokens.length }),
      mayRepeat: (id, begun) => Promise.resolve(this.#mayRepeat(id, begun)),
      write: (rows, id, refused) => this.#attempt(() => this.#insert(rows, id, refused)),
    };
  }

  async #attempt(write: () => WriteEnd): Promise<WriteEnd> {
    this.writes++;
    await this.beforeWrite?.();
    if (this.failWith !== undefined) return { kind: this.failsAs, error: this.failWith };
    const end = write();
    await this.afterWrite?.();
    return end;
  }

  #insert(rows: MemoryRows, { token }: BatchRange, refused: readonly RefusedRow[] | undefined): WriteEnd {
    const found = refusedOf(rows);
    if (refused === undefined && found.length > 0) return { kind: 'examined', refused: found, mayBeStored: false };
    const left = new Set(refused?.map(({ row }) => row));
    if (found.some(({ row }) => !left.has(row))) throw new TypeError('a row was left in that is refused');
    const sent = rows.list.filter((_, row) => !left.has(row));
    const text = JSON.stringify(sent.map(({ value }) => value));
    if ((this.#sent.get(token) ?? text) !== text) this.mixed.push(token);
    this.#sent.set(token, text);
    if (this.#remembers(token)) return { kind: 'stored', refused: [] };
    this.rows.push(...sent);
    this.tokens.push(token);
    return { kind: 'stored', refused: [] };
  }

  #remembers(token: string): boolean {
    return this.tokens.slice(Math.max(0, this.tokens.length - this.window)).includes(token);
  }

  #mayRepeat(id: BatchRange, { mark, rows, changed }: Begun): Verdict {
    const isPast = mark !== null && this.tokens.length - (mark['rows'] ?? 0) > this.window;
    if (!isPast && changed === undefined) return { kind: 'repeat' };
    if (this.onUncertain !== 'Stop') return { kind: this.onUncertain === 'Skip' ? 'stored' : 'repeat' };
    const { from, to } = id;
    const where = { sink: 'warehouse', table: 'rows', from, to, rows, hint: '' };
    return { kind: 'ask', error: mr('MR_SINK_OUTCOME_UNKNOWN', { ...where, problem: changed ?? 'it forgot' }) };
  }

  #transact(rows: MemoryRows, { after, to, token }: BatchRange): WriteEnd {
    const refused = refusedOf(rows);
    if (this.position === to && this.positionToken === token) return { kind: 'stored', refused };
    if (this.position !== after) throw mr('MR_OWNERSHIP_LOST', { writer: 'sink', expected: after });
    this.rows.push(...rows.list.filter(({ value }) => value['refuse'] !== true));
    this.position = to;
    this.positionToken = token;
    return { kind: 'stored', refused };
  }
}

function refusedOf({ list }: MemoryRows): RefusedRow[] {
  return list.flatMap(({ value }, row) =>
    value['refuse'] === true
      ? [{ row, error: mr('MR_RECORD_REFUSED', { sink: 'warehouse', problem: 'it says so' }) }]
      : [],
  );
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

/** A batch of these rows whose other records were `failed`, by number; without: each record became the row of its number. */
export function batchOfRows<Rows extends RowBufferPort>(
  rows: Rows,
  failed: readonly number[] = [],
): WrittenBatch<Rows> {
  const records = Array.from({ length: rows.rows + failed.length }, (_, n) => n).filter((n) => !failed.includes(n));
  const error = mr('MR_RECORD_MISFIT', { field: 'misfit', wanted: 'absent', actual: 'true' });
  return {
    rows,
    failed: failed.map((record) => ({ record, error })),
    recordOf: (row) => records[row] ?? -1,
    rowOf: (record) => (records.includes(record) ? records.indexOf(record) : undefined),
  };
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
    if (value['fail'] === true) throw mr('MR_RECORD_EXPRESSION', { step: 'check', hint: '', problem: 'it says so' });
    return value;
  },
};

/** Remembers what a loop said. */
export class Witness implements SlotObserver {
  readonly connections: (string | undefined)[] = [];
  /** Of the errors in `connections`. */
  readonly sentences: string[] = [];
  readonly waits: [Waiter, string | undefined][] = [];
  /** Of the errors in `waits`. */
  readonly waitSentences: string[] = [];
  taken = 0;
  handed = 0;
  droppedRecords = 0;
  dead = 0;
  lettersGone = 0;
  keysRefused = 0;
  frames = 0;
  batches = 0;
  last: Position = null;

  connection(error: MillraceError | undefined): void {
    this.connections.push(error?.code);
    if (error !== undefined) this.sentences.push(error.sentence);
  }
  waiting(waiter: Waiter, reason: MillraceError | undefined): void {
    this.waits.push([waiter, reason?.code]);
    if (reason !== undefined) this.waitSentences.push(reason.sentence);
  }
  took(records: number): void {
    this.taken += records;
  }
  keyRefused(): void {
    this.keysRefused++;
  }
  handedOn(records: number): void {
    this.handed += records;
  }
  dropped(records: number): void {
    this.droppedRecords += records;
  }
  lettersDropped(records: number): void {
    this.lettersGone += records;
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
