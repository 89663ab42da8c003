/**
 * A record that is not turned into an object: the names of its fields, and the places of their values in its bytes.
 *
 * Most fields of most records only pass through, from JSON to a column. To create a text and an object of each costs
 * four times as much as copying its bytes.
 *
 * L1  A flat record means the same as what `decodeRecord` returns for the same bytes. Whatever cannot be read that way
 *     (nesting, unusual escapes, bytes that are not UTF-8) is not flat, and is decoded.
 * L2  One object represents one record after another; nothing of it may be kept.
 */
import type { RecordObject, RecordValue } from './value.ts';

/** How a value is written in the bytes. */
export const written = {
  /** A text of which every byte stands for itself; `starts` and `ends` are inside the quotes. */
  text: 0,
  /** A text with escapes. */
  escapedText: 1,
  /** At most 15 digits and no exponent: its value is in `numbers`. */
  number: 2,
  longNumber: 3,
  true: 4,
  false: 5,
  null: 6,
} as const;

/** What records with the same fields in the same order share; as long as they do, it is the same object. */
export interface FlatShape {
  /** Distinct, and none that every object inherits (`constructor`). */
  readonly names: readonly string[];
  /**
   * Fields that steps may look at or change: what they are now is in {@link FlatRecord.values}, absent ones included.
   */
  readonly touched: ReadonlySet<string>;
}

export interface FlatRecord {
  readonly shape: FlatShape;
  readonly bytes: Uint8Array;
  /** The same bytes. Three more than a record's end can be read. */
  readonly view: DataView;
  /** By the index of the name in `shape.names`. */
  readonly kinds: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly numbers: Float64Array;
  /** The touched fields, as the steps left them. */
  readonly values: RecordObject;
  valueOf(field: number): RecordValue;
}
