/**
 * Dates and times as the text that PostgreSQL reads.
 *
 * D1  A number is milliseconds since 1970 in a timestamp, and since midnight in a time; in a date, an interval and a time
 *     with a zone it is a misfit, because nobody has agreed on a unit. So are digits as text.
 * D2  Text is ISO 8601, whatever the session's zone and styles are. Without a zone it is UTC; in a timestamp and a time,
 *     text with a zone is turned into UTC, where PostgreSQL would drop the zone without a word.
 *     A zone is an offset, UTC, or a place (`Europe/Berlin`). What an abbreviation means (IST, EST, even Z) depends on
 *     settings of the server, and since PostgreSQL 18 on the session's zone: none is sent.
 * D3  Words that stand for the time of writing (now, today) are a misfit: a repeated write would store another time.
 * D4  What PostgreSQL would drop or carry over is a misfit: a time in a date, a date in a time, a leap second. Of a text,
 *     digits behind the column's scale are cut off, as everywhere (connectors/clickhouse); a number keeps all.
 */
import { decimalOf, scaledInteger } from '../../model/decimal.ts';
import { ExactNumber, type RecordValue } from '../../model/value.ts';
import { parsed, parseTime } from '../date-text.ts';
import { Misfit } from './misfit.ts';

const wantedTime =
  'a time like 2026-01-31T12:34:56Z, with an offset, UTC or a place as its zone, or milliseconds since 1970 with no digit that the column does not hold, in the years 1 to 9999';
const wantedClock = 'a time like 12:34:56 without a zone, or milliseconds since midnight';
const wantedZonedClock = 'a time like 12:34:56+02:00';
const wantedDate = 'a date like 2026-01-31';
const wantedInterval = 'an interval like P1DT2H, 1 day 02:00:00 or -1 day -02:00:00';

const endless = /^[+-]?infinity$/i;
const isoTime =
  /^([0-9]{4,6}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2})(?::([0-5][0-9])(?:\.([0-9]+))?)?( ?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)| (?:UTC|GMT|Z)| [A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)+)?)?$/i;
const isoDate = /^([0-9]{4,7}-[0-9]{2}-[0-9]{2})(?:[Tt ]00:00(?::00(?:\.0+)?)?(?: ?(?:[Zz]|[+-]00(?::?00)?))?)?$/;
const clock =
  /^([0-9]{1,2}:[0-9]{2})(?::([0-5][0-9])(?:\.([0-9]+))?)?( ?[ap]m)?( ?(?:z|[+-][0-9]{2}(?::?[0-9]{2})?))?$/i;
const inUtc = /^ ?(?:z|utc|gmt)?$/i;
const noOffset = /^ ?(?:z|utc|gmt|[+-]00(?::?00)?)?$/i;

interface Precise {
  readonly hasZone: boolean;
  /** Digits of a second. */
  readonly scale: number;
}

export function timestampText(value: RecordValue, { hasZone, scale }: Precise): string {
  if (typeof value !== 'string') return instantText(atScale(microsecondsOf(value, wantedTime), scale, wantedTime));
  if (endless.test(value)) return value;
  const found = isoTime.exec(value);
  if (found === null) throw new Misfit(wantedTime);
  const [, day = '', minutes = '00:00', seconds = '00', fraction = '', zone = ''] = found;
  const local = `${day} ${minutes}:${seconds}${shownFraction(fraction, scale)}`;
  if (hasZone) return `${local}${offsetOf(zone)}`;
  if (noOffset.test(zone)) return local;
  if (/[A-Za-z]/.test(zone) || !parseTime(`${local}${zone.trim()}`)) throw new Misfit(wantedTime);
  return instantText(BigInt(parsed.seconds) * million + BigInt(parsed.fraction * 10 ** (6 - parsed.fractionDigits)));
}

export function dateText(value: RecordValue): string {
  const found = typeof value === 'string' ? (isoDate.exec(value)?.[1] ?? endless.exec(value)?.[0]) : undefined;
  if (found === undefined) throw new Misfit(wantedDate);
  return found;
}

export function clockText(value: RecordValue, { hasZone, scale }: Precise): string {
  const wanted = hasZone ? wantedZonedClock : wantedClock;
  if (typeof value !== 'string') {
    if (hasZone) throw new Misfit(wanted);
    const microseconds = atScale(microsecondsOf(value, wanted), scale, wanted);
    if (microseconds < 0n || microseconds >= 86_400n * million) throw new Misfit(wanted);
    return timeOfDay(microseconds);
  }
  const [text, minutes = '', seconds = '00', fraction = '', half = '', zone = ''] = clock.exec(value) ?? [];
  if (text === undefined || (!hasZone && !noOffset.test(zone))) throw new Misfit(wanted);
  const local = `${minutes}:${seconds}${shownFraction(fraction, scale)}${half}`;
  return hasZone ? `${local}${offsetOf(zone)}` : local;
}

/** Its forms are left to the server, but those that the server's settings, or nobody, give a meaning to. */
export function intervalText(
  value: RecordValue,
  { dropsParts, scale }: { readonly dropsParts: boolean; readonly scale: number },
): string {
  if (dropsParts) throw new Misfit('absent, because PostgreSQL drops what is finer than the fields of the column');
  if (typeof value !== 'string' || value.includes('\0')) throw new Misfit(wantedInterval);
  const isCount = /^\s*[+-]?[0-9.]+\s*$/.test(value);
  // With the style sql_standard the first sign counts for all parts, else for its own.
  const isAmbiguous = /^\s*-\S.*\s[0-9]/.test(value);
  const fractions = [...value.matchAll(/\.([0-9]+)/g)].map(([, digits = '']) => digits.length);
  if (isCount || isAmbiguous || fractions.some((digits) => digits > scale)) throw new Misfit(wantedInterval);
  return value;
}

function offsetOf(zone: string): string {
  return inUtc.test(zone) ? '+00' : zone;
}

function shownFraction(digits: string, scale: number): string {
  const kept = digits.slice(0, scale);
  return kept === '' ? '' : `.${kept}`;
}

function atScale(microseconds: bigint, scale: number, wanted: string): bigint {
  if (microseconds % 10n ** BigInt(6 - scale) !== 0n) throw new Misfit(wanted);
  return microseconds;
}

const million = 1_000_000n;
/** 0001-01-01 and the first microsecond of the year 10000. */
const firstMicrosecond = -62_135_596_800n * million;
const endMicrosecond = 253_402_300_800n * million;

function instantText(microseconds: bigint): string {
  if (microseconds < firstMicrosecond || microseconds >= endMicrosecond) throw new Misfit(wantedTime);
  const milliseconds = Number(microseconds / 1_000n);
  const rest = Number(microseconds % 1_000n);
  if (rest === 0) return `${new Date(milliseconds).toISOString().slice(0, -1)}+00`;
  const before = rest < 0 ? milliseconds - 1 : milliseconds;
  const digits = String(rest < 0 ? rest + 1_000 : rest).padStart(3, '0');
  return `${new Date(before).toISOString().slice(0, -1)}${digits}+00`;
}

function timeOfDay(microseconds: bigint): string {
  const date = new Date(Number(microseconds / 1_000n)).toISOString();
  return `${date.slice(11, -1)}${String(microseconds % 1_000n).padStart(3, '0')}`;
}

/** Of a count of milliseconds. */
function microsecondsOf(value: RecordValue, wanted: string): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value) * 1_000n;
  if (typeof value === 'bigint') return value * 1_000n;
  const number = typeof value === 'number' || value instanceof ExactNumber ? decimalOf(String(value)) : null;
  const microseconds = number === null ? null : scaledInteger(number, 3);
  if (microseconds === null) throw new Misfit(wanted);
  return microseconds;
}
