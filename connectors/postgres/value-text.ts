/**
 * Values as the text that PostgreSQL's input functions read.
 *
 * T1  No digit is lost: integers and numerics travel as the digits they came with, and what has more than the column is a
 *     misfit. A float holds the nearest number of its type; what would become an infinity or a zero is a misfit, and so is
 *     an integer that no double holds.
 * T2  What cannot be right is refused here, and what PostgreSQL would take for something else; what only the server can
 *     judge (an enum, a UUID) is left to it.
 */
import { isIP } from 'node:net';
import { decimalOf, scaledInteger } from '../../model/decimal.ts';
import { encodeJson, ExactNumber, fieldOf, isRecordObject, type RecordValue } from '../../model/value.ts';
import { isLongInteger } from '../exact.ts';
import type { ColumnKind, Digits, Member, TextLimit } from './column-kind.ts';
import { Misfit } from './misfit.ts';
import { rangeText } from './range-text.ts';
import { clockText, dateText, intervalText, timestampText } from './time-text.ts';

/** The text of a value that is not null. */
export function valueText(value: RecordValue, column: ColumnKind): string {
  switch (column.kind) {
    case 'integer':
      return integerText(value, column);
    case 'float':
      return floatText(value, column.isSingle);
    case 'numeric':
      return numericText(value, column.digits);
    case 'boolean':
      if (typeof value === 'boolean') return value ? 't' : 'f';
      if (typeof value === 'string' && booleanText.test(value)) return value;
      throw new Misfit('true or false');
    case 'timestamp':
      return timestampText(value, column);
    case 'date':
      return dateText(value);
    case 'time':
      return clockText(value, column);
    case 'interval':
      return intervalText(value, column);
    case 'range':
      return rangeText(value, {
        isMulti: column.isMulti,
        keepsSpaces: column.of.kind === 'text',
        boundText: (bound) => valueText(bound, column.of),
      });
    case 'json':
      return jsonText(value, column.isBinary);
    case 'text':
      return plainText(typeof value === 'string' ? value : encodeJson(value), column.limit);
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

function numericText(value: RecordValue, digits: Digits | null): string {
  if (typeof value === 'string' && specialNumber.test(value)) return value;
  if (isNumber(value) || typeof value === 'string') {
    const text = String(value);
    if (fits(text, digits)) return text;
    // What a double surely has are 15 digits: 0.1 + 0.2 is 0.3.
    const sure = typeof value === 'number' ? value.toPrecision(15) : text;
    if (fits(sure, digits)) return sure;
  }
  if (digits === null) throw new Misfit('a number');
  const { precision, scale } = digits;
  throw new Misfit(`a number with at most ${precision - scale} digits before the point and ${scale} after it`);
}

function fits(text: string, digits: Digits | null): boolean {
  const number = decimalOf(text);
  if (number === null || digits === null || number.digits === '') return number !== null;
  const { precision, scale } = digits;
  return number.power + scale >= 0 && number.digits.length + number.power <= precision - scale;
}

function floatText(value: RecordValue, isSingle: boolean): string {
  if (typeof value === 'string' && specialNumber.test(value)) return value;
  const text = isNumber(value) || typeof value === 'string' ? String(value) : '';
  const double = typeof value === 'number' ? value : Number(text);
  if (typeof value !== 'number' && isLongInteger(text)) {
    throw new Misfit('a number, with no more digits than a double holds when it is an integer');
  }
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
  if (typeof value === 'string') {
    const forms = Object.hasOwn(literalForms, column.type) ? literalForms[column.type] : undefined;
    if (forms !== undefined && !forms.isRight(value)) throw new Misfit(forms.wanted);
    // regclass and its like read 16710 there.
    if (column.takesNumbers && /^0[0-9]/.test(value)) throw new Misfit(`${wanted}, without zeros in front`);
    return withoutNul(value, wanted);
  }
  if (isNumber(value) && column.takesNumbers) return String(value);
  if (typeof value === 'object' && !isNumber(value) && column.takesJson) return withoutNul(encodeJson(value), wanted);
  throw new Misfit(wanted);
}

/** Types whose input functions also take what is no such thing, and make something of it. */
const literalForms: Readonly<Record<string, { readonly wanted: string; isRight(text: string): boolean }>> = {
  inet: { wanted: 'an address like 192.0.2.1 or 192.0.2.1/24', isRight: isAddress },
  cidr: { wanted: 'a network like 192.0.2.0/24', isRight: isAddress },
  oidvector: {
    wanted: 'numbers with a space between them',
    isRight: (text) => /^(?:(?:0|[1-9][0-9]*)(?: |$))*$/.test(text),
  },
};

function isAddress(text: string): boolean {
  const [, address = '', length = ''] = /^([^/]*)(\/[0-9]{1,3})?$/.exec(text) ?? [];
  return isIP(address) !== 0 && !address.includes('%') && length.length <= 4;
}

function plainText(text: string, limit: TextLimit | null): string {
  withoutNul(text, 'a text without the character NUL');
  if (limit === null || isWithin(text, limit)) return text;
  throw new Misfit(`a text of at most ${limit.most} ${limit.of}`);
}

/** PostgreSQL cuts off a name, and spaces behind the last character that a varchar has room for. */
function isWithin(text: string, { most, of }: TextLimit): boolean {
  if (of === 'bytes') return Buffer.byteLength(text) <= most;
  // A character has at most two units.
  return text.length <= most || (text.length <= most * 2 && Array.from(text).length <= most);
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
