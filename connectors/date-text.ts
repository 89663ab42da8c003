/**
 * ISO 8601 text to numbers, digit by digit: `2026-01-31`, `2026-01-31T12:34:56.789+01:00`, also with a space for the T.
 *
 * Date.parse is not used: it takes local time for some forms, keeps milliseconds only, and costs three times as much.
 * Without a zone, the time is UTC. Results are left in {@link parsed} instead of an object per value.
 */

/** What the last successful call read. */
export const parsed = {
  /** Seconds since 1970. */
  seconds: 0,
  /** Digits after the point, as a number, and how many there were (at most 9; more are cut off). */
  fraction: 0,
  fractionDigits: 0,
};

/** Days since 1970 of `YYYY-MM-DD` at the start of the text, or NaN. */
export function parseDay(text: string): number {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  if (text.charCodeAt(4) !== dash || text.charCodeAt(7) !== dash) return NaN;
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return NaN;
  return daysFromCivil(year, month, day);
}

/** Fills {@link parsed}; false when the text is not a time. */
export function parseTime(text: string): boolean {
  const day = parseDay(text);
  if (Number.isNaN(day)) return false;
  parsed.seconds = day * 86_400;
  parsed.fraction = 0;
  parsed.fractionDigits = 0;
  if (text.length === 10) return true;
  const separator = text.charCodeAt(10);
  if (separator !== 0x54 && separator !== 0x74 && separator !== 0x20) return false;
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  if (!(hour <= 23 && minute <= 59) || text.charCodeAt(13) !== colon) return false;
  let at = 16;
  let second = 0;
  if (text.charCodeAt(at) === colon) {
    second = digits(text, at + 1, 2);
    if (!(second <= 59)) return false;
    at = readFraction(text, at + 3);
  }
  const offset = zoneSeconds(text, at);
  if (Number.isNaN(offset)) return false;
  parsed.seconds += hour * 3_600 + minute * 60 + second - offset;
  return true;
}

const dash = 0x2d;
const colon = 0x3a;
const point = 0x2e;

/** Returns the index after the fraction, or after nothing. */
function readFraction(text: string, from: number): number {
  if (text.charCodeAt(from) !== point) return from;
  let at = from + 1;
  for (; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) break;
    if (parsed.fractionDigits === 9) continue;
    parsed.fraction = parsed.fraction * 10 + digit;
    parsed.fractionDigits++;
  }
  return at;
}

/** Seconds east of UTC: nothing or `Z` is 0, `+02`, `+0200`, `+02:00`; NaN for anything else. */
function zoneSeconds(text: string, at: number): number {
  if (at === text.length) return 0;
  const mark = text.charAt(at);
  if ((mark === 'Z' || mark === 'z') && at + 1 === text.length) return 0;
  if (mark !== '+' && mark !== '-') return NaN;
  const hours = digits(text, at + 1, 2);
  let minutes = 0;
  if (text.length > at + 3) {
    const from = text.charCodeAt(at + 3) === colon ? at + 4 : at + 3;
    if (text.length !== from + 2) return NaN;
    minutes = digits(text, from, 2);
  }
  if (!(hours <= 23 && minutes <= 59)) return NaN;
  const seconds = hours * 3_600 + minutes * 60;
  return mark === '-' ? -seconds : seconds;
}

function digits(text: string, from: number, count: number): number {
  let value = 0;
  for (let at = from; at < from + count; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Howard Hinnant's days_from_civil, for years 0 to 9999. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
