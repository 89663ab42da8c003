/** Writes the values of one column. */
import type { RecordValue } from '../../model/value.ts';
import type { ByteWriter } from './byte-writer.ts';

export interface Encoder {
  /** The value in RowBinary. Throws Misfit when the column cannot hold it; the caller takes back what was written. */
  write(value: RecordValue, to: ByteWriter): void;
  /**
   * `write` makes of every text its length and its bytes; `nullable`: after a zero, which says that it is not null.
   * Then bytes can be copied without a string of them.
   */
  readonly copies?: 'text' | 'nullableText';
  /** Written for a field that the record does not have: the type's default value. */
  missing(to: ByteWriter): void;
}
