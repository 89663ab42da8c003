/** Rows of a simulated sink: what the reference compares. */
import { mr } from '../../../model/errors.ts';
import type { RecordObject } from '../../../model/value.ts';
import type { RefusedRow, RowBufferPort } from '../../../stream/sink-port.ts';
import type { Ledger } from '../check/ledger.ts';

export interface Row {
  readonly id: string;
  /** `orders/0/17 a g1`. */
  readonly text: string;
  readonly refusedBy: string;
}

/** Whoever is told what the tables really have. */
export type RowKeeper = Pick<Ledger, 'row' | 'unrow' | 'forgo' | 'violated' | 'laneOf'>;

export class SimRows implements RowBufferPort {
  #list: Row[] = [];
  bytes = 0;

  get rows(): number {
    return this.#list.length;
  }

  /** As they are now: the buffer is filled anew while a request may still be on its way. */
  copy(): readonly Row[] {
    return [...this.#list];
  }

  add(value: RecordObject): void {
    const [id, kind, plan, refusedBy] = ['id', 'kind', 'plan', 'refusedBy'].map((field) => textOf(value[field]));
    const row = { id: id!, text: `${id} ${kind} ${plan}`, refusedBy: refusedBy! };
    this.#list.push(row);
    this.bytes += row.text.length;
  }

  clear(): void {
    this.#list = [];
    this.bytes = 0;
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function refusedBy(sink: string, rows: readonly Row[]): RefusedRow[] {
  return rows.flatMap((row, index) =>
    row.refusedBy === sink ? [{ row: index, error: mr('MR_RECORD_REFUSED', { sink, problem: 'it says so' }) }] : [],
  );
}
