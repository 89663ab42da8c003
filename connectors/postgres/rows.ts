/**
 * Records as rows for COPY, in the order of the table's columns.
 *
 * R1  A record that does not fit leaves the buffer as it was.
 * R2  A missing field takes the column's default, or null. Fields without a column are left out. A field whose column
 *     only the server fills is a misfit: it is never dropped silently.
 * R3  Any range of rows can be sent by itself.
 * R4  A tombstone is a row that deletes.
 */
import { mr } from '../../model/errors.ts';
import { fieldOf, type RecordMeta, type RecordObject, type RecordValue } from '../../model/value.ts';
import type { RowBuffer } from '../connector.ts';
import { describeValue } from '../misfit.ts';
import { copiedValues, CopyText, defaultMarker, nullMarker } from './copy-text.ts';
import { keyFields } from './key-fields.ts';
import { Misfit } from './misfit.ts';
import type { ClosedColumn, Column, Table } from './table.ts';
import { valueText } from './value-text.ts';

const tab = 0x09;
const lineEnd = 0x0a;
const zero = 0x30;
const one = 0x31;

interface Cell extends Column {
  /** Nothing else can be found under the name, so one property load is enough. */
  readonly isPlain: boolean;
}

export class PostgresRows implements RowBuffer {
  readonly #columns: readonly Cell[];
  readonly #closed: readonly ClosedColumn[];
  /** Rows begin with their number (of rows with the same key, the last one counts) and what they have of these. */
  readonly #isStaged: boolean;
  readonly #merged: readonly Column[];
  readonly #text = new CopyText();
  readonly #starts: number[] = [0];

  readonly #key: readonly string[];
  /** Some rows delete. */
  hasRemoved = false;

  constructor({ columns, closed, isStaged }: Table, key: readonly string[] = []) {
    this.#key = key;
    this.#columns = columns.map((column) => ({ ...column, isPlain: !(column.name in Object.prototype) }));
    this.#closed = closed;
    this.#isStaged = isStaged;
    this.#merged = columns.filter(({ missing }) => missing === 'merged');
  }

  get rows(): number {
    return this.#starts.length - 1;
  }

  get bytes(): number {
    return this.#text.at;
  }

  add(value: RecordObject): void {
    if (this.#closed.length > 0) this.#checkClosed(value);
    this.#writeRow(value, false);
  }

  /** R4: the key columns alone, from the record's key; of several rows with a key in a batch the last one counts. */
  remove({ key }: RecordMeta): void {
    this.#writeRow(keyFields(key, this.#key), true);
    this.hasRemoved = true;
  }

  #writeRow(value: RecordObject, isRemoved: boolean): void {
    const text = this.#text;
    const columns = this.#columns;
    const start = text.at;
    let column: Column | undefined;
    try {
      if (this.#isStaged) this.#writeMarks(value, isRemoved);
      for (let i = 0; i < columns.length; i++) {
        column = columns[i]!;
        if (i > 0) text.byte(tab);
        const field = columns[i]!.isPlain ? value[column.name] : fieldOf(value, column.name);
        if (isRemoved && field === undefined) text.plain(nullMarker);
        else this.#write(column, field);
      }
      text.byte(lineEnd);
    } catch (error) {
      text.at = start;
      if (!(error instanceof Misfit) || column === undefined) throw error;
      const actual = describeValue(fieldOf(value, column.name));
      throw mr('MR_RECORD_MISFIT', { field: column.name, wanted: error.wanted, actual });
    }
    this.#starts.push(text.at);
  }

  #checkClosed(record: RecordObject): void {
    for (const { name, why } of this.#closed) {
      const value = fieldOf(record, name);
      if (value === undefined || value === null) continue;
      throw mr('MR_RECORD_MISFIT', { field: name, wanted: `absent, because ${why}`, actual: describeValue(value) });
    }
  }

  #writeMarks(record: RecordObject, isRemoved: boolean): void {
    const text = this.#text;
    text.plain(String(this.rows));
    text.byte(tab);
    text.byte(isRemoved ? one : zero);
    text.byte(tab);
    if (this.#merged.length === 0) return;
    for (const { name } of this.#merged) text.byte(fieldOf(record, name) === undefined ? zero : one);
    text.byte(tab);
  }

  #write(column: Column, value: RecordValue | undefined): void {
    if (value === undefined) {
      if (column.missing === 'default') return this.#text.plain(defaultMarker);
      if (column.missing === 'null' && column.isRequired) throw new Misfit('present');
      return this.#text.plain(nullMarker);
    }
    if (value === null) {
      if (column.isRequired) throw new Misfit('other than null');
      return this.#text.plain(nullMarker);
    }
    this.#text.text(valueText(value, column.kind));
  }

  /** The rows `from` to `to`, the latter not included; valid until the next change. */
  slice(from: number, to: number): Buffer {
    return this.#text.slice(this.#starts[from] ?? 0, this.#starts[to] ?? 0);
  }

  /** The same for rows that do not follow each other. */
  pick(rows: readonly number[]): Buffer {
    return Buffer.concat(rows.map((row) => this.slice(row, row + 1)));
  }

  /** One row's values in the order of the columns, as the texts that the server reads; null also for a default. */
  valuesOf(row: number): readonly (string | null)[] {
    // Behind the row's marks.
    return copiedValues(this.slice(row, row + 1)).slice(-this.#columns.length);
  }

  clear(): void {
    this.#text.at = 0;
    this.#starts.length = 1;
    this.hasRemoved = false;
  }
}
