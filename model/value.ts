/**
 * The value of a record for steps and sinks: JSON, with numbers that keep their digits.
 *
 * A JSON number becomes a JavaScript `number` when that loses nothing, else an {@link ExactNumber} that carries the
 * digits as written. A step that computes makes `number` or `bigint`; a sink accepts all three.
 */
import { decimalOf, isSameDecimal } from './decimal.ts';

/** No record is nested deeper: a source or the decoder refuses it. */
export const maxDepth = 256;

/** A JSON number that a double cannot hold, as it was written. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  /** JSON.stringify writes the digits. */
  toJSON(): object {
    return JSON.rawJSON(this.text);
  }
}

export type RecordValue =
  null | boolean | string | number | bigint | ExactNumber | readonly RecordValue[] | RecordObject;

export interface RecordObject {
  /** undefined is as good as absent: that is what a step that removes a field leaves. JSON.stringify skips it. */
  [field: string]: RecordValue | undefined;
}

export function isRecordObject(value: RecordValue | undefined): value is RecordObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

/** The record's own field: nothing is inherited, whatever its name is. */
export function fieldOf(record: RecordObject, name: string): RecordValue | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** What expressions call `meta`. */
export interface RecordMeta {
  /** Name of the source in the spec. */
  readonly source: string;
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: bigint | null;
  /**
   * The key as text, or null. Throws MR_RECORD_MISFIT when it is not UTF-8; so does a header that is read and is not.
   */
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Source time, milliseconds since 1970. */
  readonly timestamp: number;
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The value of a JSON text; a number that a double does not hold is exact. Throws SyntaxError. */
export function decodeJson(text: string): RecordValue {
  return JSON.parse(text, keepDigits) as RecordValue;
}

function keepDigits(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value;
  return isSameNumber(context.source, value) ? value : new ExactNumber(context.source);
}

/** Less than that, and all digits are in the shortest text of the double. */
const longRun = /[0-9.]{16}/;

/**
 * True when the double means the number that was written: as its shortest text and, for an integer that is written out,
 * as its exact value, with which an expression computes. What is written with few digits and an exponent (`1e30`) is a
 * double: else what it is would depend on whether something else in the record makes the decoder look at all numbers.
 */
function isSameNumber(written: string, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  const wanted = decimalOf(written);
  if (!isSameDecimal(wanted, decimalOf(String(value)))) return false;
  if (!Number.isInteger(value) || Number.isSafeInteger(value) || !longRun.test(written)) return true;
  return isSameDecimal(wanted, decimalOf(String(BigInt(value))));
}

/** JSON text of a value, with exact numbers as they were written. */
export function encodeJson(value: RecordValue): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, (_, member: unknown) =>
      typeof member === 'bigint' ? JSON.rawJSON(String(member)) : member,
    );
  }
}
