/**
 * Values as the text that PostgreSQL's input functions read.
 *
 * T1  No digit is lost: integers and numerics travel as the digits they came with; a number that a float would turn into
 *     an infinity or a zero is a misfit.
 * T2  What cannot be right is refused here; what only the server can judge (a date, an enum, an address) is left to it.
 */
import { decimalOf, scaledInteger } from '../../model/decimal.ts';
import { encodeJson, ExactNumber, fieldOf, isRecordObject, type RecordValue } from '../../model/value.ts';
import type { ColumnKind, Member } from './column-kind.ts';
import { Misfit } from './misfit.ts';
import { clockText, dateText, timestampText } from './time-text.ts';

/** The text of a value that is not null. */
export function valueText(value: RecordValue, column: ColumnKind): string {
  switch (column.kind) {
    case 'integer':
      return integerText(value, column);
    case 'float':
      return floatText(value, column.isSingle);
    case 'numeric':
      if (typeof value === 'string' && isNumberText(value)) return value;
      if (isNumber(value)) return String(value);
      throw new Misfit('a number');
    case 'boolean':
      if (typeof value === 'boolean') return value ? 't' : 'f';
      if (typeof value === 'string' && booleanText.test(value)) return value;
      throw new Misfit('true or false');
    case 'timestamp':
      return timestampText(value, column.hasZone);
    case 'date':
      return dateText(value);
    case 'time':
      return clockText(value);
    case 'json':
      return jsonText(value, column.isBinary);
    case 'text':
      return withoutNul(typeof value === 'string' ? value : encodeJson(value), 'a text without the character NUL');
    case 'literal':
      return literalText(value, column);
    case 'array':
      return arrayText(value, column);
    case 'composite':
      return compositeText(value, column.type, column.members);
  }
}

/** What PostgreSQL takes for a boolean. */
const booleanText = /^(?:t|true|f|false|y|yes|n|no|on|off|1|0)$/i;
const specialNumber = /^(?:nan|[+-]?inf(?:inity)?)$/i;

function isNumberText(text: string): boolean {
  return decimalOf(text) !== null || specialNumber.test(text);
}

function isNumber(value: RecordValue): value is number | bigint | ExactNumber {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber;
}

function integerText(value: RecordValue, { min, max }: { readonly min: bigint; readonly max: bigint }): string {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= Number(min) && value <= Number(max)) {
    return String(value);
  }
  const number = isNumber(value) || typeof value === 'string' ? decimalOf(String(value)) : null;
  const integer = number === null ? null : scaledInteger(number, 0);
  if (integer !== null && integer >= min && integer <= max) return integer.toString();
  throw new Misfit(`an integer from ${min.toString()} to ${max.toString()}`);
}

function floatText(value: RecordValue, isSingle: boolean): string {
  if (typeof value === 'string' && specialNumber.test(value)) return value;
  const text = isNumber(value) || typeof value === 'string' ? String(value) : '';
  const double = typeof value === 'number' ? value : Number(text);
  const stored = isSingle ? Math.fround(double) : double;
  if (Number.isFinite(stored) && stored !== 0) {
    if (typeof value !== 'string' || decimalOf(text) !== null) return text;
  } else if (stored === 0) {
    if (Object.is(value, -0)) return '-0';
    if (decimalOf(text)?.digits === '') return text;
  }
  throw new Misfit(`a number within the range of ${isSingle ? 'real' : 'double precision'}`);
}

function jsonText(value: RecordValue, isBinary: boolean): string {
  const text = encodeJson(value);
  // Only such a text can hold the escape, and only jsonb makes characters of escapes.
  if (isBinary && text.includes('\\u0000') && holdsNul(value)) throw new Misfit('JSON without the character NUL');
  return text;
}

function holdsNul(value: RecordValue | undefined): boolean {
  if (typeof value === 'string') return value.includes('\0');
  if (isList(value)) return value.some(holdsNul);
  if (!isRecordObject(value)) return false;
  return Object.keys(value).some((name) => name.includes('\0') || holdsNul(value[name]));
}

function literalText(value: RecordValue, column: Extract<ColumnKind, { kind: 'literal' }>): string {
  const wanted = `a text (${column.type})`;
  if (typeof value === 'string') return withoutNul(value, wanted);
  if (isNumber(value) && column.takesNumbers) return String(value);
  if (typeof value === 'object' && !isNumber(value) && column.takesJson) return withoutNul(encodeJson(value), wanted);
  throw new Misfit(wanted);
}

function withoutNul(text: string, wanted: string): string {
  if (text.includes('\0')) throw new Misfit(wanted);
  return text;
}

/** An array literal: each element in double quotes, NULL without. */
function arrayText(value: RecordValue, column: Extract<ColumnKind, { kind: 'array' }>): string {
  if (!isList(value)) throw new Misfit('an array');
  const { of, delimiter } = column;
  const items = value.map((item) => {
    if (item === null) return 'NULL';
    // The type of an array of arrays is that of its innermost element's array.
    if (isList(item) && !takesLists(of)) return arrayText(item, column);
    return inQuotes(valueText(item, of));
  });
  return `{${items.join(delimiter)}}`;
}

function takesLists(of: ColumnKind): boolean {
  return of.kind === 'json' || of.kind === 'array' || (of.kind === 'literal' && of.takesJson);
}

/** A row literal; what the object does not have is null. */
function compositeText(value: RecordValue, type: string, members: readonly Member[]): string {
  const isByPosition = isList(value) && value.length === members.length;
  if (!isByPosition && !isRecordObject(value)) {
    throw new Misfit(`an object with ${members.map(({ name }) => name).join(', ')} (${type})`);
  }
  const texts = members.map(({ name, kind }, i) => {
    const member = isByPosition ? value[i] : isRecordObject(value) ? fieldOf(value, name) : undefined;
    return member === undefined || member === null ? '' : inQuotes(valueText(member, kind));
  });
  return `(${texts.join(',')})`;
}

function inQuotes(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

function isList(value: RecordValue | undefined): value is readonly RecordValue[] {
  return Array.isArray(value);
}
