/**
 * Values as the text that PostgreSQL's input functions read.
 *
 * T1  No digit is lost: integers and numerics travel as the digits they came with.
 * T2  What cannot be right is refused here; what only the server can judge (a date, an enum, an address) is left to it.
 */
import { encodeJson, ExactNumber, type RecordValue } from '../../model/value.ts';

/** What a column takes, from its type's name and category. */
export type ColumnKind =
  | { readonly kind: 'integer'; readonly min: bigint; readonly max: bigint }
  | { readonly kind: 'number' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'time' }
  | { readonly kind: 'json' }
  | { readonly kind: 'text' }
  /** A type with an input function of its own: uuid, inet, an enum, … */
  | { readonly kind: 'other'; readonly type: string }
  | { readonly kind: 'array'; readonly of: ColumnKind };

/** A value that a column does not take; the row buffer adds the field's name. */
export class Misfit extends Error {
  override readonly name = 'Misfit';
  readonly wanted: string;

  constructor(wanted: string) {
    super();
    this.wanted = wanted;
  }
}

const range = (bits: bigint) => ({ kind: 'integer', min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n }) as const;
const kinds: Readonly<Record<string, ColumnKind>> = {
  int2: range(16n),
  int4: range(32n),
  int8: range(64n),
  float4: { kind: 'number' },
  float8: { kind: 'number' },
  numeric: { kind: 'number' },
  bool: { kind: 'boolean' },
  timestamp: { kind: 'time' },
  timestamptz: { kind: 'time' },
  json: { kind: 'json' },
  jsonb: { kind: 'json' },
  text: { kind: 'text' },
  varchar: { kind: 'text' },
  bpchar: { kind: 'text' },
};

/** @param type as in pg_type.typname: `int4`, `_text` for an array of text. */
export function columnKind(type: string): ColumnKind {
  if (type.startsWith('_')) return { kind: 'array', of: columnKind(type.slice(1)) };
  return kinds[type] ?? { kind: 'other', type };
}

/** The text of a value that is not null. */
export function valueText(value: RecordValue, column: ColumnKind): string {
  switch (column.kind) {
    case 'integer':
      return integerText(value, column);
    case 'number':
      if (typeof value === 'string' && /^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(value)) return value;
      if (isNumber(value)) return String(value);
      throw new Misfit('a number');
    case 'boolean':
      if (typeof value === 'boolean') return value ? 't' : 'f';
      throw new Misfit('true or false');
    case 'time':
      if (typeof value === 'number') return millisecondsText(value);
      return withoutNul(value, 'a time like 2026-01-31T12:34:56Z, or milliseconds since 1970');
    case 'json':
      return encodeJson(value);
    case 'text':
      return withoutNul(typeof value === 'string' ? value : encodeJson(value), 'a text without the character NUL');
    case 'other':
      if (isNumber(value)) return String(value);
      return withoutNul(value, `a text (${column.type})`);
    case 'array':
      return arrayText(value, column.of);
  }
}

function isNumber(value: RecordValue): value is number | bigint | ExactNumber {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber;
}

function integerText(value: RecordValue, { min, max }: { readonly min: bigint; readonly max: bigint }): string {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= Number(min) && value <= Number(max)) {
    return String(value);
  }
  const digits = isNumber(value) || typeof value === 'string' ? String(value) : '';
  if (/^-?[0-9]{1,19}$/.test(digits)) {
    const integer = BigInt(digits);
    if (integer >= min && integer <= max) return digits;
  }
  throw new Misfit(`an integer from ${min.toString()} to ${max.toString()}`);
}

function millisecondsText(value: number): string {
  const time = new Date(value);
  if (Number.isNaN(time.getTime())) throw new Misfit('milliseconds since 1970');
  return time.toISOString();
}

function withoutNul(value: RecordValue, wanted: string): string {
  if (typeof value !== 'string' || value.includes('\0')) throw new Misfit(wanted);
  return value;
}

/** An array literal: each element in double quotes, NULL without. */
function arrayText(value: RecordValue, of: ColumnKind): string {
  if (!isList(value)) throw new Misfit('an array');
  const items = value.map((item) => {
    if (item === null) return 'NULL';
    // The type of an array of arrays has the name of its innermost element's array.
    if (isList(item) && of.kind !== 'json') return arrayText(item, of);
    return `"${valueText(item, of).replaceAll(/["\\]/g, '\\$&')}"`;
  });
  return `{${items.join(',')}}`;
}

function isList(value: RecordValue): value is readonly RecordValue[] {
  return Array.isArray(value);
}
