/**
 * A table that drops a block whose token it remembers, as ClickHouse does: so many of the last ones, for so long. It
 * cannot take a block back, and it does not know positions.
 *
 * B1  A block is stored by partitions, one after the other; each takes a place in the window and is remembered, and
 *     forgotten, by itself.
 * B2  A row that is refused ends the insert. Without partitions nothing of the block is stored then; with them, what comes
 *     before its partition is, but for the last, which waits until the next is ready.
 * B3  A view has the block after the table, whether or not the table knew it, and remembers for itself.
 */
import { forgotten, insertsPerMark, type Window } from '../../../connectors/clickhouse/window.ts';
import { mr, problemOf, type MillraceError } from '../../../model/errors.ts';
import type {
  BatchRange,
  Begun,
  LoggedSinkSlot,
  Mark,
  RefusedRow,
  Verdict,
  WriteEnd,
} from '../../../stream/sink-port.ts';
import type { Machine } from '../kernel/machine.ts';
import { Blocks, partitionsOf, type WindowOptions } from './blocks.ts';
import { RemoteFailure, type Remote } from './remote.ts';
import { refusedBy, SimRows, type Row, type RowKeeper } from './rows.ts';

const requestTimeoutMs = 10_000;
/** For clocks that differ, and for what is on its way. */
const marginMs = 5_000;
/** As connectors/clickhouse/marks.ts. */
const markGoodForMs = 10_000;

class RowsRefused extends Error {}

class ViewFailed extends Error {}

interface Block {
  readonly token: string;
  readonly rows: readonly Row[];
  /** Is told of what is stored of it. */
  readonly keeper: RowKeeper;
}

export interface TableOptions {
  readonly window: WindowOptions;
  /** A view fills another table with the same rows. */
  readonly hasView: boolean;
}

export class BlockTable {
  readonly name: string;
  readonly options: TableOptions;
  readonly remote: Remote;
  readonly #blocks: Blocks;
  readonly #viewed: Blocks | undefined;
  /** Tokens of which every row is stored: what a person finds out by looking. */
  readonly #whole = new Set<string>();
  /** token → what a person has said of it. */
  readonly #answers = new Map<string, 'stored' | 'write'>();
  /** token → who is told of its rows. */
  readonly #keepers = new Map<string, RowKeeper>();

  constructor(name: string, options: TableOptions, remote: Remote) {
    this.name = name;
    this.options = options;
    this.remote = remote;
    this.#blocks = new Blocks(options.window, remote.world);
    this.#viewed = options.hasView ? new Blocks(options.window, remote.world) : undefined;
  }

  /** How many parts each table has ever had. */
  mark(): Mark {
    const own = { [this.name]: this.#blocks.count };
    return this.#viewed === undefined ? own : { ...own, [this.#viewName]: this.#viewed.count };
  }

  get windows(): readonly Window[] {
    const { places, ms } = this.options.window;
    // So that nine tenths of it, which the connector relies on, are the whole but for the margin.
    const seconds = ms === undefined ? undefined : (ms - marginMs) / 900;
    const tables = this.#viewed === undefined ? [this.name] : [this.name, this.#viewName];
    return tables.map((table) => ({ table, setting: 'deduplication_window', places, seconds }));
  }

  /** Whether a repetition would be dropped. */
  isSureOf(token: string): boolean {
    return this.#answers.get(token) === undefined && this.#blocks.isSureOf(token);
  }

  /** Rows of the view's table. */
  get viewed(): readonly Row[] {
    return this.#viewed?.rows ?? [];
  }

  /** Table and view do not have the same rows of a pipeline. */
  hasTornBlocks(uid: string): boolean {
    const textsOf = (blocks: Blocks) =>
      blocks
        .rowsOf(`${uid}:`)
        .map(({ text }) => text)
        .sort();
    return this.#viewed !== undefined && textsOf(this.#viewed).join('\n') !== textsOf(this.#blocks).join('\n');
  }

  get #viewName(): string {
    return `${this.name}_view`;
  }

  /**
   * A person has looked whether it is there, and says how it goes on. A part of it they take out, and let it be written
   * again when the tables have forgotten it.
   */
  decide(token: string): void {
    if (this.#answers.has(token)) return;
    this.#answers.set(token, this.#whole.has(token) ? 'stored' : 'write');
    if (this.#whole.has(token)) return;
    const ids = this.#blocks.takeOut(token).map(({ id }) => id);
    this.#viewed?.takeOut(token);
    this.#keepers.get(token)?.unrow(this.name, ids);
  }

  answerTo(token: string): 'stored' | 'write' | undefined {
    return this.#answers.get(token);
  }

  /**
   * `isLate`: nobody waits for it, or it was looked whether it is remembered, and it was. When others have passed the window meanwhile, ClickHouse would store it a second time,
   * and no sink could keep that from happening: a window has to outlast what is on its way (docs/concepts.md), which one
   * of four places, kept so small to be passed often, does not. So of such an insert nothing is done a second time here.
   */
  insert(
    { token, rows, keeper }: Block,
    { isLate, viewFails = false }: { readonly isLate: boolean; readonly viewFails?: boolean | undefined },
  ): void {
    this.#keepers.set(token, keeper);
    const refuses = (some: readonly Row[]) => some.some((row) => row.refusedBy === this.name);
    const { mostPartitions } = this.options.window;
    if (mostPartitions === 1 && refuses(rows)) throw new RowsRefused();
    const partitions = partitionsOf(rows, mostPartitions, (id) => keeper.laneOf(id));
    let ready: (() => void) | undefined;
    for (const [partition, some] of partitions) {
      if (refuses(some)) throw new RowsRefused();
      ready?.();
      ready = () => this.#store({ token, rows: some, keeper }, partition, isLate);
    }
    ready?.();
    if (this.#viewed !== undefined) {
      if (viewFails) throw new ViewFailed('while pushing to view');
      for (const [partition, some] of partitions) this.#viewed.take(token, partition, some, isLate);
    }
    this.#whole.add(token);
  }

  #store({ token, rows, keeper }: Block, partition: number, isLate: boolean): void {
    const before = this.#blocks.textOf(token, partition);
    const text = rows.map((row) => row.text).join('\n');
    if (before !== undefined && before !== text)
      keeper.violated('E9', `${this.name} gets other rows under ${token}: "${text}" for "${before}"`);
    if (!this.#blocks.take(token, partition, rows, isLate)) return;
    for (const { id, text: row } of rows) keeper.row(this.name, id, row);
  }
}

/** The connector's side, as `connectors/clickhouse` is: how long a token is sure to be remembered is its own code. */
export class BlockSlot implements LoggedSinkSlot<SimRows> {
  readonly positionIn = 'commitLog';
  readonly #table: BlockTable;
  readonly #machine: Machine;
  readonly #keeper: RowKeeper;
  #last: { readonly mark: Mark; readonly at: number } | undefined;
  #inserts = 0;
  /** Was remembered when it was last looked at. */
  #sure: string | undefined;

  constructor(table: BlockTable, machine: Machine, keeper: RowKeeper) {
    this.#table = table;
    this.#machine = machine;
    this.#keeper = keeper;
  }

  newRows(): SimRows {
    return new SimRows();
  }

  /** The last one is good for some inserts, and some time: an older one says that more was written since. */
  async mark(signal: AbortSignal): Promise<Mark> {
    const { windows, options } = this.#table;
    const writers = { slots: 1, partitions: options.window.mostPartitions };
    const isFresh = this.#last !== undefined && this.#machine.clock.now() - this.#last.at < markGoodForMs;
    this.#inserts++;
    if (this.#last !== undefined && isFresh && this.#inserts <= insertsPerMark(windows, writers))
      return this.#last.mark;
    return this.#markNow(signal);
  }

  async #markNow(signal: AbortSignal, token?: string): Promise<Mark> {
    const at = this.#machine.clock.now();
    const look = () => {
      this.#sure = token !== undefined && this.#table.isSureOf(token) ? token : undefined;
      return this.#table.mark();
    };
    const mark = await this.#call('mark', look, signal);
    this.#last = { mark, at };
    this.#inserts = 0;
    return mark;
  }

  async mayRepeat(id: BatchRange, begun: Begun, signal: AbortSignal): Promise<Verdict> {
    const { windows, name } = this.#table;
    const now = await this.#markNow(signal, id.token);
    const answer = this.#table.answerTo(id.token);
    if (answer !== undefined) return { kind: answer === 'stored' ? 'stored' : 'repeat' };
    const problem = begun.changed ?? forgotten(windows, begun, now);
    if (problem === undefined) return { kind: 'repeat' };
    const { from, to } = id;
    const where = { sink: name, table: name, from, to, rows: begun.rows, hint: id.token };
    return { kind: 'ask', error: mr('MR_SINK_OUTCOME_UNKNOWN', { ...where, problem }) };
  }

  async write(
    rows: SimRows,
    { token }: BatchRange,
    refused: readonly RefusedRow[] | undefined,
    signal: AbortSignal,
  ): Promise<WriteEnd> {
    const all = rows.copy();
    const { hasView, window } = this.#table.options;
    // The table has the block already when a view refuses a row of it.
    if (hasView && refused === undefined) return this.#examine(all, false, signal);
    const left = new Set(refused?.map(({ row }) => row));
    const good = all.filter((_, index) => !left.has(index));
    try {
      await this.#insert(token, good, signal);
      return { kind: 'stored', refused: [] };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RowsRefused) return this.#examine(all, window.mostPartitions > 1, signal);
      const isCertain = error instanceof RemoteFailure && error.isCertain;
      return { kind: isCertain ? 'nothing' : 'unknown', error: this.#named(error) };
    }
  }

  #insert(token: string, rows: readonly Row[], signal: AbortSignal): Promise<void> {
    const { faults } = this.#table.remote;
    const insert = (isLate: boolean) => {
      const view = this.#table.options.hasView ? faults.pass('view', 'arrived', { machine: this.#machine }) : undefined;
      const block = { token, rows, keeper: this.#keeper };
      this.#table.insert(block, { isLate: isLate || this.#sure === token, viewFails: view?.drop });
    };
    return this.#call('insert', insert, signal);
  }

  async #examine(rows: readonly Row[], mayBeStored: boolean, signal: AbortSignal): Promise<WriteEnd> {
    try {
      const found = await this.#call('examine', () => refusedBy(this.#table.name, rows), signal);
      return { kind: 'examined', refused: found, mayBeStored };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: mayBeStored ? 'unknown' : 'nothing', error: this.#named(error) };
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #call<T>(call: string, effect: (isLate: boolean) => T, signal: AbortSignal): Promise<T> {
    return this.#table.remote.call(this.#machine, call, effect, { timeoutMs: requestTimeoutMs, signal });
  }

  #named(error: unknown): MillraceError {
    const { name } = this.#table;
    const problem = problemOf(error);
    if (error instanceof ViewFailed) return mr('MR_SINK_VIEW_FAILED', { sink: name, table: name, problem });
    return mr('MR_SINK_UNREACHABLE', { sink: name, server: 'ch:8123', problem });
  }
}
