/**
 * Dates and times as the text that PostgreSQL reads.
 *
 * D1  A number is milliseconds since 1970 in a timestamp, and since midnight in a time; in a date, an interval and a time
 *     with a zone it is a misfit, because nobody has agreed on a unit.
 * D2  Text without a zone is UTC in a timestamptz, whatever the session's zone; text with a zone is turned into UTC for a
 *     timestamp, where PostgreSQL would drop the zone without a word.
 * D3  Words that stand for the time of writing (now, today) are a misfit: a repeated write would store another time.
 *
 * Other forms than ISO 8601 are left to the server.
 */
import { decimalOf, scaledInteger } from '../../model/decimal.ts';
import { ExactNumber, type RecordValue } from '../../model/value.ts';
import { parsed, parseTime } from '../date-text.ts';
import { Misfit } from './misfit.ts';

const wantedTime =
  'a time like 2026-01-31T12:34:56Z, or milliseconds since 1970 with at most three digits after the point, in the years 1 to 9999';
const wantedClock = 'a time like 12:34:56 without a zone, or milliseconds since midnight';
const wantedDate = 'a date like 2026-01-31';

const plainTime = /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?$/;
const zonedTime = /^([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?) ?[+-][0-9:]{2,6}$/;
const zoneOfClock = /(?:[+-][0-9:]{2,6}|[A-Za-z_/]+)$/;
const timeOfWriting = /\b(?:now|today|tomorrow|yesterday)\b/i;

export function timestampText(value: RecordValue, hasZone: boolean): string {
  if (typeof value !== 'string') return instantText(microsecondsOf(value));
  checkText(value, wantedTime);
  if (hasZone) return plainTime.test(value) ? `${value}Z` : value;
  if (!zonedTime.test(value)) return value;
  if (!parseTime(value.replace(' +', '+').replace(' -', '-'))) throw new Misfit(wantedTime);
  return instantText(BigInt(parsed.seconds) * million + BigInt(microsecondsOfFraction()));
}

export function dateText(value: RecordValue): string {
  if (typeof value !== 'string') throw new Misfit(wantedDate);
  checkText(value, wantedDate);
  return value;
}

export function clockText(value: RecordValue): string {
  if (typeof value === 'string') {
    checkText(value, wantedClock);
    // The server would drop a zone without a word; UTC is what a time without one means.
    const zone = zoneOfClock.exec(value)?.[0] ?? '';
    if (/^(?:|[ap]m|z|[+-]00(?::?00)?)$/i.test(zone)) return value;
    throw new Misfit(wantedClock);
  }
  const microseconds = microsecondsOf(value, wantedClock);
  if (microseconds < 0n || microseconds >= 86_400n * million) throw new Misfit(wantedClock);
  return timeOfDay(microseconds);
}

const million = 1_000_000n;
/** 0001-01-01 and the first microsecond of the year 10000. */
const firstMicrosecond = -62_135_596_800n * million;
const endMicrosecond = 253_402_300_800n * million;

function instantText(microseconds: bigint): string {
  if (microseconds < firstMicrosecond || microseconds >= endMicrosecond) throw new Misfit(wantedTime);
  const milliseconds = Number(microseconds / 1_000n);
  const rest = Number(microseconds % 1_000n);
  if (rest === 0) return new Date(milliseconds).toISOString();
  const before = rest < 0 ? milliseconds - 1 : milliseconds;
  const digits = String(rest < 0 ? rest + 1_000 : rest).padStart(3, '0');
  return `${new Date(before).toISOString().slice(0, -1)}${digits}Z`;
}

function timeOfDay(microseconds: bigint): string {
  const date = new Date(Number(microseconds / 1_000n)).toISOString();
  return `${date.slice(11, -1)}${String(microseconds % 1_000n).padStart(3, '0')}`;
}

/** Of a count of milliseconds. */
function microsecondsOf(value: RecordValue, wanted = wantedTime): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value) * 1_000n;
  if (typeof value === 'bigint') return value * 1_000n;
  const number = typeof value === 'number' || value instanceof ExactNumber ? decimalOf(String(value)) : null;
  const microseconds = number === null ? null : scaledInteger(number, 3);
  if (microseconds === null) throw new Misfit(wanted);
  return microseconds;
}

/** Rounded, as the server does it. */
function microsecondsOfFraction(): number {
  return Math.round(parsed.fraction * 10 ** (6 - parsed.fractionDigits));
}

function checkText(text: string, wanted: string): void {
  if (text.includes('\0')) throw new Misfit(wanted);
  if (timeOfWriting.test(text)) throw new Misfit(`${wanted}; not a word that stands for the time of writing`);
}
