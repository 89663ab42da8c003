/**
 * A table whose rows and position go into one transaction, as PostgreSQL has it; and a failover to a server that does
 * not have the last transactions.
 *
 * A transaction is two calls: what comes before its COMMIT stores nothing, and its COMMIT everything. Only the row lock
 * is left out: PostgreSQL lets nobody read a position while a COMMIT about it may come, here it may be read before.
 */
import { mr, problemOf, type MillraceError } from '../../../model/errors.ts';
import type {
  BatchRange,
  LostPositionPolicy,
  PositionedSinkSlot,
  RefusedRow,
  StoredPosition,
  WriteEnd,
} from '../../../stream/sink-port.ts';
import type { Machine } from '../kernel/machine.ts';
import type { Remote } from './remote.ts';
import { refusedBy, SimRows, type Row, type RowKeeper } from './rows.ts';

interface Place {
  readonly position: number;
  readonly token: string;
  /** Of the batch with the token: given again when it is repeated. */
  readonly refused: readonly RefusedRow[];
}

const requestTimeoutMs = 10_000;

class Moved extends Error {}

export class PositionedTable {
  readonly name: string;
  readonly remote: Remote;
  /** What the spec says beforehand. */
  readonly onPositionLost: LostPositionPolicy = 'Stop';
  readonly #keeper: RowKeeper;
  /** By stage and slot: `sink-k0.1`. */
  readonly #places = new Map<string, Place>();
  /** The last transactions, which a standby may not have. */
  readonly #history: { readonly slot: string; readonly before: Place; readonly ids: readonly string[] }[] = [];
  /** What failovers have lost, and nobody has decided about. */
  #lost: readonly string[] = [];
  /** slot → where it stood before a failover took it back. */
  readonly #stood = new Map<string, number>();
  /** Slots of a sink that was taken off, and that nobody has looked at since. */
  readonly #left = new Set<string>();

  constructor(name: string, remote: Remote, keeper: RowKeeper) {
    this.name = name;
    this.remote = remote;
    this.#keeper = keeper;
  }

  get transactions(): number {
    return this.#history.length;
  }

  stored(slot: string): StoredPosition {
    this.#left.delete(slot);
    const { position, token } = this.#placeOf(slot);
    return { position, token };
  }

  /** Undefined: the batch is the next one. Otherwise it is stored, and this was its answer. */
  check(slot: string, { after, to, token }: BatchRange): readonly RefusedRow[] | undefined {
    const place = this.#placeOf(slot);
    if (place.position === after) return undefined;
    if (place.position === to && place.token === token) return place.refused;
    throw new Moved();
  }

  transact(slot: string, id: BatchRange, rows: readonly Row[]): readonly RefusedRow[] {
    const before = this.check(slot, id);
    if (before !== undefined) return before;
    const { to, token } = id;
    const refused = refusedBy(this.name, rows);
    const taken = rows.filter((row) => row.refusedBy !== this.name);
    for (const { id: record, text } of taken) this.#keeper.row(this.name, record, text);
    this.#history.push({ slot, before: this.#placeOf(slot), ids: taken.map((row) => row.id) });
    this.#places.set(slot, { position: to, token, refused });
    if (to >= (this.#stood.get(slot) ?? Infinity)) this.#stood.delete(slot);
    return refused;
  }

  /** Another server goes on, without the last transactions. */
  failOver(transactions: number): void {
    const lost = this.#history.splice(Math.max(0, this.#history.length - transactions)).reverse();
    for (const { slot, before, ids } of lost) {
      this.#keeper.unrow(this.name, ids);
      if (this.#left.has(slot)) this.#keeper.forgo(this.name, ids);
      else {
        this.#lost = [...this.#lost, ...ids];
        this.#stood.set(slot, Math.max(this.#placeOf(slot).position, this.#stood.get(slot) ?? 0));
      }
      this.#places.set(slot, before);
    }
    // A transaction that only named the epoch has moved nothing, and there is nothing to find out.
    for (const [slot, stood] of this.#stood) if (this.#placeOf(slot).position >= stood) this.#stood.delete(slot);
  }

  /**
   * The sink is taken off, and has had its rows stored: what is lost afterwards nobody looks for, unless the sink comes
   * back and finds it.
   */
  takenOff(): void {
    this.decide();
    this.forgetPlaces();
    for (const slot of this.#places.keys()) this.#left.add(slot);
  }

  /** A person says how it goes on: what it has lost until now may be missing. */
  decide(): void {
    this.#keeper.forgo(this.name, this.#lost);
    this.#lost = [];
  }

  /** A slot has found out, and asks. */
  noticed(slot: string): void {
    this.#stood.delete(slot);
  }

  /** What was there is another's now: the edge has been decided about, or nobody writes any more. */
  forgetPlaces(): void {
    this.#stood.clear();
  }

  /** A slot stands before where it stood, and has not found out: who has nothing to write has yet to look (K6). */
  get hasGoneBack(): boolean {
    return this.#stood.size > 0;
  }

  #placeOf(slot: string): Place {
    return this.#places.get(slot) ?? { position: 0, token: '', refused: [] };
  }
}

export class PositionedSlot implements PositionedSinkSlot<SimRows> {
  readonly positionIn = 'sink';
  readonly #table: PositionedTable;
  readonly #machine: Machine;
  readonly #slot: string;

  /** `slot`: with its stage. */
  constructor(table: PositionedTable, machine: Machine, slot: string) {
    this.#table = table;
    this.#machine = machine;
    this.#slot = slot;
  }

  get onPositionLost(): LostPositionPolicy {
    return this.#table.onPositionLost;
  }

  newRows(): SimRows {
    return new SimRows();
  }

  storedPosition(signal: AbortSignal): Promise<StoredPosition> {
    return this.#call('position', () => this.#table.stored(this.#slot), signal);
  }

  async write(rows: SimRows, id: BatchRange, _refused: unknown, signal: AbortSignal): Promise<WriteEnd> {
    const all = rows.copy();
    const attempt = { isCommitting: false };
    try {
      const before = await this.#call('begin', () => this.#table.check(this.#slot, id), signal);
      if (before !== undefined) return { kind: 'stored', refused: before };
      attempt.isCommitting = true;
      const refused = await this.#call('transaction', () => this.#table.transact(this.#slot, id, all), signal);
      return { kind: 'stored', refused };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Moved) throw mr('MR_OWNERSHIP_LOST', { writer: this.#table.name, expected: id.after });
      return { kind: attempt.isCommitting ? 'unknown' : 'nothing', error: this.#named(error) };
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #call<T>(call: string, effect: () => T, signal: AbortSignal): Promise<T> {
    return this.#table.remote.call(this.#machine, call, effect, { timeoutMs: requestTimeoutMs, signal });
  }

  #named(error: unknown): MillraceError {
    const problem = problemOf(error);
    return mr('MR_SINK_UNREACHABLE', { sink: this.#table.name, server: 'pg:5432', problem });
  }
}
