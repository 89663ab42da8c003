/**
 * Dates and times in RowBinary: from ISO 8601 text (UTC unless it names a zone), or from a whole number as ClickHouse
 * reads it: days for Date, seconds for DateTime and Time, ticks of the column's scale for DateTime64 and Time64
 * (milliseconds for DateTime64(3)).
 *
 * D1  Every form is checked against what the type holds. A number in another unit is mostly outside and a misfit; it is
 *     never stored as some other time.
 * D2  Of a text, digits behind the column's scale are cut off, as ClickHouse does. A number has none.
 */
import type { RecordValue } from '../../model/value.ts';
import { parseDay, parsed, parseTime } from '../date-text.ts';
import type { Encoder } from './encoder.ts';
import { integerOf } from '../exact.ts';
import { Misfit } from '../misfit.ts';

export function dateEncoder(name: 'Date' | 'Date32', min: number, max: number): Encoder {
  const range = name === 'Date' ? '1970-01-01 to 2149-06-06' : '1900-01-01 to 2299-12-31';
  const wanted = `a date like 2026-01-31, or days since 1970, from ${range} (${name})`;

  function days(value: RecordValue): number {
    const day = typeof value === 'string' ? (value.length === 10 ? parseDay(value) : NaN) : wholeNumber(value);
    if (!(day >= min && day <= max)) throw new Misfit(wanted, value);
    return day;
  }

  return name === 'Date'
    ? { write: (value, to) => to.u16(days(value)), missing: (to) => to.zeros(2) }
    : // Its default is its first day, not the one that is zero.
      { write: (value, to) => to.u32(days(value)), missing: (to) => to.u32(min) };
}

export function dateTimeEncoder(): Encoder {
  const wanted = 'a time like 2026-01-31T12:34:56Z, or seconds since 1970, from 1970 to 2106-02-07 (DateTime)';
  return {
    write(value, to) {
      const seconds = typeof value !== 'string' ? wholeNumber(value) : parseTime(value) ? parsed.seconds : NaN;
      if (!(seconds >= 0 && seconds <= 0xffff_ffff)) throw new Misfit(wanted, value);
      to.u32(seconds);
    },
    missing: (to) => to.zeros(4),
  };
}

/** 1900-01-01 to the end of 2299, what DateTime64 holds at every scale but 9. */
const firstSecond = -2_208_988_800;
const lastSecond = 10_413_791_999;
/** What 64 bits of nanoseconds hold: up to 2262-04-11T23:47:16. */
const lastTick = 2n ** 63n - 1n;

export function dateTime64Encoder(scale: number): Encoder {
  const range = `1900 to ${scale === 9 ? '2262-04-11' : '2299'}`;
  const unit = `10^-${scale} s`;
  const wanted = `a time like 2026-01-31T12:34:56.789Z, or a count of ${unit} since 1970, from ${range} (DateTime64(${scale}))`;
  return ticksEncoder({ scale, wanted, parse: parseTime, first: firstSecond, last: lastSecond });
}

/** 999:59:59 in both directions. */
const mostSeconds = 3_599_999;

export function timeEncoder(): Encoder {
  const wanted = 'a time like 12:34:56, or seconds, at most 999:59:59 in both directions (Time)';
  return {
    write(value, to) {
      const seconds = typeof value !== 'string' ? wholeNumber(value) : parseClock(value) ? parsed.seconds : NaN;
      if (!(Math.abs(seconds) <= mostSeconds)) throw new Misfit(wanted, value);
      to.u32(seconds);
    },
    missing: (to) => to.zeros(4),
  };
}

export function time64Encoder(scale: number): Encoder {
  const wanted = `a time like 12:34:56.789, or a count of 10^-${scale} s, at most 999:59:59 (Time64(${scale}))`;
  return ticksEncoder({ scale, wanted, parse: parseClock, first: -mostSeconds, last: mostSeconds });
}

interface Ticks {
  readonly scale: number;
  readonly wanted: string;
  /** Fills {@link parsed}. */
  readonly parse: (text: string) => boolean;
  /** First and last whole second. */
  readonly first: number;
  readonly last: number;
}

function ticksEncoder({ scale, wanted, parse, first, last }: Ticks): Encoder {
  const perSecond = 10 ** scale;
  const powers = Array.from({ length: 10 }, (_, digits) => 10 ** Math.abs(scale - digits));
  const least = BigInt(first) * BigInt(perSecond);
  const end = (BigInt(last) + 1n) * BigInt(perSecond) - 1n;
  const most = end < lastTick ? end : lastTick;
  const safeLeast = Math.max(Number(least), Number.MIN_SAFE_INTEGER);
  const safeMost = Math.min(Number(most), Number.MAX_SAFE_INTEGER);

  function ofText(text: string): bigint | number | null {
    if (!parse(text)) return null;
    const { seconds, fraction, fractionDigits } = parsed;
    const power = powers[fractionDigits] ?? 1;
    const ticks = fractionDigits <= scale ? fraction * power : Math.trunc(fraction / power);
    const all = seconds * perSecond + ticks;
    return Number.isSafeInteger(all) ? all : BigInt(seconds) * BigInt(perSecond) + BigInt(ticks);
  }

  return {
    write(value, to) {
      const ticks = typeof value === 'number' ? value : typeof value === 'string' ? ofText(value) : integerOf(value);
      if (typeof ticks === 'number' && ticks >= safeLeast && ticks <= safeMost && Number.isInteger(ticks)) {
        return to.i64(ticks);
      }
      const exact = ticks === null ? null : typeof ticks === 'bigint' ? ticks : integerOf(ticks);
      if (exact === null || exact < least || exact > most) throw new Misfit(wanted, value);
      to.big(exact, 8);
    },
    missing: (to) => to.zeros(8),
  };
}

/** NaN for everything that is no number without a fraction. */
function wholeNumber(value: RecordValue): number {
  if (typeof value === 'number') return Number.isInteger(value) ? value : NaN;
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return NaN;
  const integer = integerOf(value);
  return integer === null ? NaN : Number(integer);
}

/** `[-]H:MM[:SS[.fraction]]` with up to three digits of hours; fills {@link parsed}. */
function parseClock(text: string): boolean {
  const found = clock.exec(text);
  if (found === null) return false;
  const [, sign, hours = '', minutes = '', seconds = '0', fraction = ''] = found;
  const factor = sign === '-' ? -1 : 1;
  const kept = fraction.slice(0, 9);
  parsed.seconds = factor * (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds));
  parsed.fraction = factor * Number(kept);
  parsed.fractionDigits = kept.length;
  return true;
}

const clock = /^(-?)([0-9]{1,3}):([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]+))?)?$/;
