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

/** Rows of one transaction, and who is told of them. */
interface Written {
  readonly slot: string;
  readonly ids: readonly string[];
  readonly keeper: RowKeeper;
}

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
  /** By pipeline, stage and slot: `uid-7/sink-k0.1`. */
  readonly #places = new Map<string, Place>();
  /** The last transactions, which a standby may not have. */
  readonly #history: (Written & { readonly before: Place })[] = [];
  /** What failovers have lost, and nobody has decided about. */
  #lost: readonly Written[] = [];
  /** slot → where it stood before a failover took it back. */
  readonly #stood = new Map<string, number>();
  /** Slots of a sink that was taken off, and that nobody has looked at since. */
  readonly #left = new Set<string>();

  constructor(name: string, remote: Remote) {
    this.name = name;
    this.remote = remote;
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

  transact(slot: string, id: BatchRange, rows: readonly Row[], keeper: RowKeeper): readonly RefusedRow[] {
    const before = this.check(slot, id);
    if (before !== undefined) return before;
    const { to, token } = id;
    const refused = refusedBy(this.name, rows);
    const taken = rows.filter((row) => row.refusedBy !== this.name);
    for (const { id: record, text } of taken) keeper.row(this.name, record, text);
    this.#history.push({ slot, before: this.#placeOf(slot), ids: taken.map((row) => row.id), keeper });
    this.#places.set(slot, { position: to, token, refused });
    if (to >= (this.#stood.get(slot) ?? Infinity)) this.#stood.delete(slot);
    return refused;
  }

  /** Another server goes on, without the last transactions. */
  failOver(transactions: number): void {
    const lost = this.#history.splice(Math.max(0, this.#history.length - transactions)).reverse();
    for (const { slot, before, ids, keeper } of lost) {
      keeper.unrow(this.name, ids);
      if (this.#left.has(slot)) keeper.forgo(this.name, ids);
      else {
        this.#lost = [...this.#lost, { slot, ids, keeper }];
        this.#stood.set(slot, Math.max(this.#placeOf(slot).position, this.#stood.get(slot) ?? 0));
      }
      this.#places.set(slot, before);
    }
    // A transaction that only named the epoch has moved nothing, and there is nothing to find out.
    for (const [slot, stood] of this.#stood) if (this.#placeOf(slot).position >= stood) this.#stood.delete(slot);
  }

  /**
   * The sink of a pipeline is taken off, and has had its rows stored: what is lost afterwards nobody looks for, unless the
   * sink comes back and finds it.
   */
  takenOff(uid: string): void {
    this.decide(uid);
    this.forgetPlaces(uid);
    for (const slot of this.#places.keys()) if (isOf(slot, uid)) this.#left.add(slot);
  }

  /** A person says how it goes on: what it has lost until now may be missing. */
  decide(uid: string): void {
    for (const { slot, ids, keeper } of this.#lost) if (isOf(slot, uid)) keeper.forgo(this.name, ids);
    this.#lost = this.#lost.filter(({ slot }) => !isOf(slot, uid));
  }

  /** A slot has found out, and asks. */
  noticed(slot: string): void {
    this.#stood.delete(slot);
  }

  /** What was there is another's now: the edge has been decided about, or nobody writes any more. */
  forgetPlaces(uid: string): void {
    for (const slot of [...this.#stood.keys()]) if (isOf(slot, uid)) this.#stood.delete(slot);
  }

  /** A slot stands before where it stood, and has not found out: who has nothing to write has yet to look (K6). */
  hasGoneBack(uid: string): boolean {
    return [...this.#stood.keys()].some((slot) => isOf(slot, uid));
  }

  #placeOf(slot: string): Place {
    return this.#places.get(slot) ?? { position: 0, token: '', refused: [] };
  }
}

function isOf(slot: string, uid: string): boolean {
  return slot.startsWith(`${uid}/`);
}

export class PositionedSlot implements PositionedSinkSlot<SimRows> {
  readonly positionIn = 'sink';
  readonly #table: PositionedTable;
  readonly #machine: Machine;
  readonly #slot: string;
  readonly #keeper: RowKeeper;

  /** `slot`: with its pipeline and its stage. */
  constructor(table: PositionedTable, machine: Machine, slot: string, keeper: RowKeeper) {
    this.#table = table;
    this.#machine = machine;
    this.#slot = slot;
    this.#keeper = keeper;
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
      const transact = () => this.#table.transact(this.#slot, id, all, this.#keeper);
      const refused = await this.#call('transaction', transact, signal);
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
