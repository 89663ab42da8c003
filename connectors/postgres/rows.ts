/**
 * Records as rows for COPY, in the order of the table's columns.
 *
 * R1  A record that does not fit leaves the buffer as it was.
 * R2  A field that is missing takes the column's default, or null. Fields without a column are left out.
 * R3  Any range of rows can be sent by itself.
 */
import { mr } from '../../model/errors.ts';
import { ExactNumber, type RecordObject, type RecordValue } from '../../model/value.ts';
import type { RowBuffer } from '../connector.ts';
import { CopyText } from './copy-text.ts';
import type { Column } from './table.ts';
import { Misfit, valueText } from './value-text.ts';

/** What COPY is told to take for a column's default; its text form cannot be a value's, whose backslashes are doubled. */
export const defaultMarker = '\\D';
const nullMarker = '\\N';
const tab = 0x09;
const lineEnd = 0x0a;

export class PostgresRows implements RowBuffer {
  readonly #columns: readonly Column[];
  /** Rows begin with their number: of rows with the same key, the last one counts. */
  readonly #isNumbered: boolean;
  readonly #text = new CopyText();
  readonly #starts: number[] = [0];

  constructor(columns: readonly Column[], isNumbered: boolean) {
    this.#columns = columns;
    this.#isNumbered = isNumbered;
  }

  get rows(): number {
    return this.#starts.length - 1;
  }

  get bytes(): number {
    return this.#text.at;
  }

  add(value: RecordObject): void {
    const text = this.#text;
    const start = text.at;
    let column: Column | undefined;
    try {
      if (this.#isNumbered) text.plain(String(this.rows));
      let isFirst = !this.#isNumbered;
      for (column of this.#columns) {
        if (!isFirst) text.byte(tab);
        isFirst = false;
        this.#write(column, value[column.name]);
      }
      text.byte(lineEnd);
    } catch (error) {
      text.at = start;
      if (!(error instanceof Misfit) || column === undefined) throw error;
      const actual = describeValue(value[column.name]);
      throw mr('MR_RECORD_MISFIT', { field: column.name, wanted: error.wanted, actual });
    }
    this.#starts.push(text.at);
  }

  #write(column: Column, value: RecordValue | undefined): void {
    // A function is what the prototype has under names like `constructor`: no record holds one.
    if (value === undefined || typeof value === 'function') {
      if (column.hasDefault) return this.#text.plain(defaultMarker);
      if (column.isRequired) throw new Misfit('present');
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

  clear(): void {
    this.#text.at = 0;
    this.#starts.length = 1;
  }
}

const shownCharacters = 40;

function describeValue(value: RecordValue | undefined): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (typeof value === 'object' && !(value instanceof ExactNumber))
    return Array.isArray(value) ? 'an array' : 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= shownCharacters ? text : `${text.slice(0, shownCharacters)}…`;
}
