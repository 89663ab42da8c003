/**
 * Records as RowBinary rows of one table, in the order of its columns.
 *
 * R1  A record that does not fit leaves the buffer as it was.
 * R2  A field that is missing takes the column's DEFAULT expression, or the type's default value; null goes into
 *     nullable columns only. Fields without a column are left out.
 * R3  Row i is bytes `start(i)` to `start(i + 1)`, so that any range of rows can be sent by itself.
 */
import { mr } from '../../model/errors.ts';
import type { RecordObject } from '../../model/value.ts';
import type { RowBuffer } from '../connector.ts';
import { ByteWriter } from './byte-writer.ts';
import type { Encoder } from './encoder.ts';
import { Misfit } from './misfit.ts';

export interface EncodedColumn {
  readonly name: string;
  readonly type: string;
  readonly hasDefault: boolean;
  readonly encoder: Encoder;
}

export class ClickHouseRows implements RowBuffer {
  readonly #columns: readonly EncodedColumn[];
  /** RowBinaryWithDefaults: a byte before each value says whether the column's default is wanted instead. */
  readonly #marksDefaults: boolean;
  readonly #writer = new ByteWriter();
  #starts = new Float64Array(1024);
  #rows = 0;

  constructor(columns: readonly EncodedColumn[], marksDefaults: boolean) {
    this.#columns = columns;
    this.#marksDefaults = marksDefaults;
  }

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#writer.at;
  }

  add(value: RecordObject): void {
    const writer = this.#writer;
    const start = writer.at;
    let column: EncodedColumn | undefined;
    try {
      for (column of this.#columns) this.#write(column, value);
    } catch (error) {
      writer.at = start;
      if (!(error instanceof Misfit) || column === undefined) throw error;
      throw mr('MR_RECORD_MISFIT', { field: column.name, wanted: error.wanted, actual: error.actual });
    }
    if (this.#rows + 1 === this.#starts.length) this.#growStarts();
    this.#rows++;
    this.#starts[this.#rows] = writer.at;
  }

  #write(column: EncodedColumn, record: RecordObject): void {
    const value = record[column.name];
    // A function is what the prototype has under names like `constructor`: no record holds one.
    if (value === undefined || typeof value === 'function') {
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
