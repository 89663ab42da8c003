/**
 * Whether a column still says what the record said. It knows nothing of the sinks: numbers are compared as decimals,
 * times as instants, everything else as it stands. What it cannot see is the same needs a reason in the table.
 */
import { decimalOf, isSameDecimal } from '../../../model/decimal.ts';
import { decodeJson, ExactNumber, isRecordObject, type RecordValue } from '../../../model/value.ts';

/** How the system shows a value of the type: as it is, as its JSON, or as its bytes. */
export type Form = 'plain' | 'json' | 'bytes';

/** @param text what the system shows; null for NULL. */
export function isKept(value: RecordValue, text: string | null, form: Form = 'plain'): boolean {
  if (form === 'bytes' && typeof value === 'string') return text === `\\x${Buffer.from(value).toString('hex')}`;
  if (form === 'json' && value !== null && text !== null) return isSameJson(value, jsonOf(text));
  if (value === null || text === null) return value === text;
  if (typeof value === 'string') return text === value || isSameNumber(value, text) || isSameInstant(value, text);
  if (typeof value === 'boolean') return text === String(value);
  if (isNumber(value)) return isSameNumber(Object.is(value, -0) ? '-0' : String(value), text);
  const shown = jsonOf(text);
  return shown !== undefined && isSameJson(value, shown);
}

function isSameNumber(a: string, b: string): boolean {
  const number = decimalOf(a);
  return number !== null && isSameDecimal(number, decimalOf(b));
}

function jsonOf(text: string): RecordValue | undefined {
  try {
    return decodeJson(text);
  } catch {
    return undefined;
  }
}

function isNumber(value: RecordValue | undefined): value is number | bigint | ExactNumber {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber;
}

function isSameJson(a: RecordValue | undefined, b: RecordValue | undefined): boolean {
  if (isNumber(a) && isNumber(b)) return isSameNumber(String(a), String(b));
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, i) => isSameJson(item, b[i]));
  if (!isRecordObject(a) || !isRecordObject(b)) return a === b;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => isSameJson(a[name], b[name]));
}

function isList(value: RecordValue | undefined): value is readonly RecordValue[] {
  return Array.isArray(value);
}

const instant = /^(\d{4,})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?)? ?(Z|[+-]\d\d(?::?\d\d)?)?$/;

/** A time without a zone is UTC. */
function isSameInstant(a: string, b: string): boolean {
  const instants = [a, b].map(nanosecondsOf);
  return instants[0] !== undefined && instants[0] === instants[1];
}

/** Undefined for what is no time, a leap second included. */
function nanosecondsOf(text: string): bigint | undefined {
  const found = instant.exec(text);
  if (found === null) return undefined;
  const [, year = '', month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = found;
  const date = new Date(`${year.length > 4 ? `+${year.padStart(6, '0')}` : year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || Number(second) > 59) return undefined;
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  const offset = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  const seconds = date.getTime() / 1_000 + (Number(hour) * 60 + Number(minute) - offset) * 60 + Number(second);
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
}
