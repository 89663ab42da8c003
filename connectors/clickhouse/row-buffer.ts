/**
 * Records as RowBinary rows of one table, in the order of its columns.
 *
 * R1  A record that does not fit leaves the buffer as it was.
 * R2  A missing field takes the column's DEFAULT expression, or the type's default value; null is accepted by
 *     nullable columns only. Fields without a column are left out. A field whose column only ClickHouse fills
 *     (MATERIALIZED, ALIAS) is a misfit: it is never dropped silently.
 * R3  Row i is bytes `start(i)` to `start(i + 1)`, so that any range of rows can be sent by itself.
 */
import type { FlatRecord, FlatShape } from '../../model/flat-record.ts';
import { written } from '../../model/flat-record.ts';
import { mr } from '../../model/errors.ts';
import { fieldOf, type RecordObject, type RecordValue } from '../../model/value.ts';
import type { RowBuffer } from '../connector.ts';
import { ByteWriter } from './byte-writer.ts';
import type { Encoder } from './encoder.ts';
import { fieldReader, type FieldReader } from './field.ts';
import type { Runs } from './runs.ts';
import { describeValue, Misfit } from '../misfit.ts';

export interface EncodedColumn {
  readonly name: string;
  readonly type: string;
  readonly hasDefault: boolean;
  readonly encoder: Encoder;
}

/** A column that cannot be written. */
export interface ClosedColumn {
  readonly name: string;
  /** MATERIALIZED or ALIAS. */
  readonly kind: string;
}

interface Cell extends EncodedColumn {
  readonly copies: Encoder['copies'] | undefined;
  readonly read: FieldReader | null;
}

/** A column whose field the steps may have changed. -1: the record has no such field. */
const touched = -2;

export class ClickHouseRows implements RowBuffer {
  readonly #columns: readonly Cell[];
  readonly #closed: readonly ClosedColumn[];
  /** RowBinaryWithDefaults: a byte before each value says whether to use the column's default instead. */
  readonly #marksDefaults: boolean;
  readonly #writer = new ByteWriter();
  #starts = new Float64Array(1024);
  #rows = 0;
  #shape: FlatShape | undefined;
  #places: Int32Array | null = null;

  constructor(columns: readonly EncodedColumn[], marksDefaults: boolean, closed: readonly ClosedColumn[] = []) {
    this.#columns = columns.map((column) => ({
      ...column,
      copies: column.encoder.copies,
      read: fieldReader(column.name),
    }));
    this.#marksDefaults = marksDefaults;
    this.#closed = closed;
  }

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#writer.at;
  }

  add(value: RecordObject): void {
    const writer = this.#writer;
    const columns = this.#columns;
    const start = writer.at;
    let column: EncodedColumn | undefined;
    if (this.#closed.length > 0) this.#checkClosed(value);
    try {
      for (let i = 0; i < columns.length; i++) this.#write((column = columns[i]!), value);
    } catch (error) {
      writer.at = start;
      if (!(error instanceof Misfit) || column === undefined) throw error;
      throw mr('MR_RECORD_MISFIT', { field: column.name, wanted: error.wanted, actual: error.actual });
    }
    this.#endRow();
  }

  #endRow(): void {
    if (this.#rows + 1 === this.#starts.length) this.#growStarts();
    this.#rows++;
    this.#starts[this.#rows] = this.#writer.at;
  }

  /** Like `add` with the decoded record (model/flat-record.ts). */
  addFlat(record: FlatRecord): boolean {
    if (record.shape !== this.#shape) this.#placesIn(record.shape);
    const places = this.#places;
    if (places === null) return false;
    const writer = this.#writer;
    const columns = this.#columns;
    const start = writer.at;
    try {
      for (let i = 0; i < columns.length; i++) {
        const place = places[i]!;
        if (place >= 0) this.#writeField(columns[i]!, record, place);
        else this.#writeValue(columns[i]!, place === touched ? record.values[columns[i]!.name] : undefined);
      }
    } catch (error) {
      writer.at = start;
      if (error instanceof Misfit) return false;
      throw error;
    }
    this.#endRow();
    return true;
  }

  /** Where each column is in records of the shape; null when they must be decoded. */
  #placesIn(shape: FlatShape): void {
    const isClosed = this.#closed.some(({ name }) => shape.touched.has(name) || shape.names.includes(name));
    const placeOf = ({ name }: Cell) => (shape.touched.has(name) ? touched : shape.names.indexOf(name));
    this.#shape = shape;
    this.#places =
      isClosed || this.#columns.some(({ read }) => read !== null) ? null : Int32Array.from(this.#columns.map(placeOf));
  }

  #writeField(column: Cell, record: FlatRecord, field: number): void {
    const { copies } = column;
    if (copies === undefined || record.kinds[field] !== written.text) {
      return this.#writeValue(column, record.valueOf(field));
    }
    if (this.#marksDefaults) this.#writer.u8(0);
    if (copies === 'nullableText') this.#writer.u8(0);
    this.#writer.copiedText(record.bytes, record.view, record.starts[field]!, record.ends[field]!);
  }

  #checkClosed(record: RecordObject): void {
    for (const { name, kind } of this.#closed) {
      const value = fieldOf(record, name);
      if (value === undefined || value === null) continue;
      const wanted = `absent, because the column is ${kind} and only ClickHouse fills it`;
      throw mr('MR_RECORD_MISFIT', { field: name, wanted, actual: describeValue(value) });
    }
  }

  #write(column: Cell, record: RecordObject): void {
    this.#writeValue(column, column.read === null ? record[column.name] : column.read(record));
  }

  #writeValue(column: Cell, value: RecordValue | undefined): void {
    if (value === undefined) {
      if (column.hasDefault) return this.#writer.u8(1);
      // Marked as default, a column without an expression would get zero bytes, which is no member of an Enum.
      if (this.#marksDefaults) this.#writer.u8(0);
      column.encoder.missing(this.#writer);
      return;
    }
    if (this.#marksDefaults) this.#writer.u8(0);
    column.encoder.write(value, this.#writer);
  }

  /** The bytes of rows `from` to `to`, the latter not included; valid until the next change. */
  slice(from: number, to: number): Buffer {
    return this.#writer.slice(this.#starts[from] ?? 0, this.#starts[to] ?? 0);
  }

  /** The bytes of these rows; valid until the next change. */
  pieces(runs: Runs): readonly Buffer[] {
    return runs.map(({ from, to }) => this.slice(from, to));
  }

  clear(): void {
    this.#writer.at = 0;
    this.#rows = 0;
  }

  #growStarts(): void {
    const grown = new Float64Array(this.#starts.length * 2);
    grown.set(this.#starts);
    this.#starts = grown;
  }
}
