/**
 * A table whose rows and position go into one transaction, as PostgreSQL has it; and a failover to a server that does
 * not have the last transactions.
 */
import { mr, problemOf } from '../../../model/errors.ts';
import type {
  BatchRange,
  LostPositionPolicy,
  PositionedSinkSlot,
  RefusedRow,
  StoredPosition,
  WriteEnd,
} from '../../../stream/sink-port.ts';
import type { Ledger } from '../check/ledger.ts';
import type { Machine } from '../kernel/machine.ts';
import { RemoteFailure, type Remote } from './remote.ts';
import { refusedBy, SimRows, type Row } from './rows.ts';

interface Place {
  position: number;
  token: string;
}

const requestTimeoutMs = 10_000;

class Moved extends Error {}

export class PositionedTable {
  readonly name: string;
  readonly remote: Remote;
  /** What the spec says beforehand. */
  readonly onPositionLost: LostPositionPolicy = 'Stop';
  readonly #ledger: Ledger;
  readonly #places = new Map<number, Place>();
  /** The last transactions, which a standby may not have. */
  readonly #history: { readonly slot: number; readonly before: Place; readonly ids: readonly string[] }[] = [];
  /** What failovers have lost, and nobody has decided about. */
  #lost: readonly string[] = [];
  /** slot → where it stood before a failover took it back. */
  readonly #stood = new Map<number, number>();
  lastWriteAt = 0;

  constructor(name: string, remote: Remote, ledger: Ledger) {
    this.name = name;
    this.remote = remote;
    this.#ledger = ledger;
  }

  stored(slot: number): StoredPosition {
    return { ...this.#placeOf(slot) };
  }

  transact(slot: number, { after, to, token }: BatchRange, rows: readonly Row[]): readonly RefusedRow[] {
    const place = this.#placeOf(slot);
    const refused = refusedBy(this.name, rows);
    if (place.position === to && place.token === token) return refused;
    if (place.position !== after) throw new Moved();
    const taken = rows.filter((row) => row.refusedBy !== this.name);
    for (const { id, text } of taken) this.#ledger.row(this.name, id, text);
    this.#history.push({ slot, before: { ...place }, ids: taken.map(({ id }) => id) });
    place.position = to;
    place.token = token;
    if (to >= (this.#stood.get(slot) ?? Infinity)) this.#stood.delete(slot);
    this.lastWriteAt = this.remote.world.now;
    return refused;
  }

  /** Another server goes on, without the last transactions. */
  failOver(transactions: number): void {
    const lost = this.#history.splice(Math.max(0, this.#history.length - transactions)).reverse();
    for (const { slot, before } of lost) {
      this.#stood.set(slot, Math.max(this.#placeOf(slot).position, this.#stood.get(slot) ?? 0));
      this.#places.set(slot, { ...before });
    }
    // A transaction that only named the epoch has moved nothing, and there is nothing to find out.
    for (const [slot, stood] of this.#stood) if (this.#placeOf(slot).position >= stood) this.#stood.delete(slot);
    const ids = lost.flatMap((one) => one.ids);
    this.#ledger.unrow(this.name, ids);
    this.#lost = [...this.#lost, ...ids];
  }

  /** A person says how it goes on: what it has lost until now may be missing. */
  decide(): void {
    this.#ledger.forgo(this.name, this.#lost);
    this.#lost = [];
  }

  /** A slot has found out, and asks. */
  noticed(slot: number): void {
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

  #placeOf(slot: number): Place {
    const known = this.#places.get(slot);
    if (known !== undefined) return known;
    const made = { position: 0, token: '' };
    this.#places.set(slot, made);
    return made;
  }
}

export class PositionedSlot implements PositionedSinkSlot<SimRows> {
  readonly positionIn = 'sink';
  readonly #table: PositionedTable;
  readonly #machine: Machine;
  readonly #slot: number;

  constructor(table: PositionedTable, machine: Machine, slot: number) {
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
    try {
      const refused = await this.#call('transaction', () => this.#table.transact(this.#slot, id, all), signal);
      return { kind: 'stored', refused };
    } catch (error) {
      if (error instanceof Moved) throw mr('MR_OWNERSHIP_LOST', { writer: this.#table.name, expected: id.after });
      const isCertain = error instanceof RemoteFailure && error.isCertain;
      const problem = problemOf(error);
      return {
        kind: isCertain ? 'nothing' : 'unknown',
        error: mr('MR_SINK_UNREACHABLE', { sink: this.#table.name, server: 'pg:5432', problem }),
      };
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #call<T>(call: string, effect: () => T, signal: AbortSignal): Promise<T> {
    return this.#table.remote.call(this.#machine, call, effect, { timeoutMs: requestTimeoutMs, signal });
  }
}
