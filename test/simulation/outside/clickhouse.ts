/**
 * A table that drops a block whose token it remembers, as ClickHouse does: so many of the last ones, for so long. It
 * cannot take a block back, and it does not know positions.
 */
import { mr, problemOf } from '../../../model/errors.ts';
import type {
  BatchRange,
  Begun,
  LoggedSinkSlot,
  Mark,
  RefusedRow,
  Verdict,
  WriteEnd,
} from '../../../stream/sink-port.ts';
import type { Ledger } from '../check/ledger.ts';
import type { Machine } from '../kernel/machine.ts';
import { RemoteFailure, type Remote } from './remote.ts';
import { refusedBy, SimRows, type Row } from './rows.ts';

export interface WindowOptions {
  readonly places: number;
  readonly ms: number;
  readonly mostPartitions: number;
}

interface Block {
  readonly token: string;
  readonly at: number;
}

const requestTimeoutMs = 10_000;

export class BlockTable {
  readonly name: string;
  readonly window: WindowOptions;
  readonly remote: Remote;
  readonly #ledger: Ledger;
  readonly #blocks: Block[] = [];
  /** All blocks that were ever stored: what a person finds out by looking. */
  readonly #all = new Map<string, string>();
  /** token → what a person has said of it. */
  readonly #answers = new Map<string, 'stored' | 'write'>();
  lastWriteAt = 0;

  constructor(name: string, window: WindowOptions, remote: Remote, ledger: Ledger) {
    this.name = name;
    this.window = window;
    this.remote = remote;
    this.#ledger = ledger;
  }

  get blocks(): number {
    return this.#blocks.length;
  }

  /** A person has looked whether it is there, and says how it goes on. */
  decide(token: string): void {
    this.#answers.set(token, this.#all.has(token) ? 'stored' : 'write');
  }

  answerTo(token: string): 'stored' | 'write' | undefined {
    return this.#answers.get(token);
  }

  /**
   * A block takes a place in the window for each partition that it reaches.
   *
   * `isLate`: nobody waits for it. When others have passed the window meanwhile, ClickHouse would store it a second time,
   * and no sink could keep that from happening: a window has to outlast what is on its way (docs/concepts.md), which one
   * of four places, kept so small to be passed often, does not. So such an insert does nothing here.
   */
  insert(token: string, rows: readonly Row[], isLate: boolean): void {
    const text = rows.map((row) => row.text).join('\n');
    const before = this.#all.get(token);
    if (before !== undefined && before !== text)
      this.#ledger.violated('E9', `${this.name} gets other rows under ${token}: "${text}" for "${before}"`);
    if (this.#remembers(token) || (isLate && before !== undefined)) return;
    const places = 1 + (rows.length % this.window.mostPartitions);
    for (let place = 0; place < places; place++) this.#blocks.push({ token, at: this.remote.world.now });
    this.#all.set(token, text);
    this.lastWriteAt = this.remote.world.now;
    for (const { id, text: row } of rows) this.#ledger.row(this.name, id, row);
  }

  #remembers(token: string): boolean {
    const { places, ms } = this.window;
    const since = this.remote.world.now - ms;
    return this.#blocks.slice(-places).some((block) => block.token === token && block.at >= since);
  }
}

/** The connector's side, as `connectors/clickhouse` is: it finds refused rows without storing any. */
export class BlockSlot implements LoggedSinkSlot<SimRows> {
  readonly positionIn = 'commitLog';
  readonly #table: BlockTable;
  readonly #machine: Machine;

  constructor(table: BlockTable, machine: Machine) {
    this.#table = table;
    this.#machine = machine;
  }

  newRows(): SimRows {
    return new SimRows();
  }

  mark(signal: AbortSignal): Promise<Mark> {
    return this.#call('mark', () => ({ [this.#table.name]: this.#table.blocks }), signal);
  }

  async mayRepeat(id: BatchRange, { mark, ageMs, rows, changed }: Begun, signal: AbortSignal): Promise<Verdict> {
    const { window, name } = this.#table;
    const blocks = await this.#call('mark', () => this.#table.blocks, signal);
    const before = mark?.[name];
    const answer = this.#table.answerTo(id.token);
    if (answer !== undefined) return { kind: answer === 'stored' ? 'stored' : 'repeat' };
    const isPast =
      before === undefined || blocks - before >= window.places || ageMs === null || ageMs > window.ms - 5_000;
    if (!isPast && changed === undefined) return { kind: 'repeat' };
    const { from, to } = id;
    const where = { sink: name, table: name, from, to, rows, hint: id.token };
    const error = mr('MR_SINK_OUTCOME_UNKNOWN', { ...where, problem: changed ?? 'the window has passed' });
    return { kind: 'ask', error };
  }

  async write(
    rows: SimRows,
    { token }: BatchRange,
    refused: readonly RefusedRow[] | undefined,
    signal: AbortSignal,
  ): Promise<WriteEnd> {
    const all = rows.copy();
    if (refused === undefined && all.some((row) => row.refusedBy === this.#table.name)) {
      try {
        const found = await this.#call('examine', () => refusedBy(this.#table.name, all), signal);
        return { kind: 'examined', refused: found, mayBeStored: false };
      } catch (error) {
        return { kind: 'nothing', error: this.#named(error) };
      }
    }
    const left = new Set(refused?.map(({ row }) => row));
    const good = all.filter((_, index) => !left.has(index));
    try {
      await this.#call('insert', (isLate) => this.#table.insert(token, good, isLate), signal);
      return { kind: 'stored', refused: [] };
    } catch (error) {
      const isCertain = error instanceof RemoteFailure && error.isCertain;
      return { kind: isCertain ? 'nothing' : 'unknown', error: this.#named(error) };
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #call<T>(call: string, effect: (isLate: boolean) => T, signal: AbortSignal): Promise<T> {
    return this.#table.remote.call(this.#machine, call, effect, { timeoutMs: requestTimeoutMs, signal });
  }

  #named(error: unknown) {
    return mr('MR_SINK_UNREACHABLE', { sink: this.#table.name, server: 'ch:8123', problem: problemOf(error) });
  }
}
