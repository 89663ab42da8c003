/**
 * Dates and times in RowBinary: from ISO 8601 text (UTC unless it names a zone), or from a number as ClickHouse reads it:
 * days for Date, seconds for DateTime, ticks of the column's scale for DateTime64 (milliseconds for DateTime64(3)).
 */
import { ExactNumber, type RecordValue } from '../../model/value.ts';
import { parseDay, parsed, parseTime } from './date-text.ts';
import type { Encoder } from './encoder.ts';
import { integerOf } from './exact.ts';
import { Misfit } from './misfit.ts';

export function dateEncoder(name: 'Date' | 'Date32', min: number, max: number): Encoder {
  const wanted = `a date like 2026-01-31 (${name})`;

  function days(value: RecordValue): number {
    const day = typeof value === 'string' && value.length === 10 ? parseDay(value) : value;
    if (typeof day !== 'number' || !Number.isInteger(day) || day < min || day > max) throw new Misfit(wanted, value);
    return day;
  }

  return name === 'Date'
    ? { write: (value, to) => to.u16(days(value)), missing: (to) => to.zeros(2) }
    : { write: (value, to) => to.u32(days(value)), missing: (to) => to.zeros(4) };
}

export function dateTimeEncoder(): Encoder {
  const wanted = 'a time like 2026-01-31T12:34:56Z, or seconds since 1970 (DateTime)';
  return {
    write(value, to) {
      let seconds: number;
      if (typeof value === 'string' && parseTime(value)) seconds = parsed.seconds;
      else if (typeof value === 'number') seconds = value;
      else throw new Misfit(wanted, value);
      // A fraction of a text is dropped, as the column has none; a number with one is no count of seconds.
      if (!Number.isInteger(seconds) || seconds < 0 || seconds > 0xffff_ffff) throw new Misfit(wanted, value);
      to.u32(seconds);
    },
    missing: (to) => to.zeros(4),
  };
}

/** 1900-01-01 to 2299-12-31, what DateTime64 holds at every scale but 9. */
const firstSecond = -2_208_988_800;
const lastSecond = 10_413_791_999;

export function dateTime64Encoder(scale: number): Encoder {
  const wanted = `a time like 2026-01-31T12:34:56.789Z, or a count of 10^-${scale} s since 1970 (DateTime64(${scale}))`;
  const perSecond = 10 ** scale;
  const powers = Array.from({ length: 10 }, (_, digits) => 10 ** Math.abs(scale - digits));
  const most = 2n ** 63n - 1n;
  return {
    write(value, to) {
      if (typeof value === 'number' && Number.isSafeInteger(value)) return to.i64(value);
      if (typeof value === 'string' && parseTime(value)) {
        const { seconds, fraction, fractionDigits } = parsed;
        if (seconds < firstSecond || seconds > lastSecond) throw new Misfit(wanted, value);
        const power = powers[fractionDigits] ?? 1;
        const ticks = fractionDigits <= scale ? fraction * power : Math.floor(fraction / power);
        const whole = seconds * perSecond;
        if (Number.isSafeInteger(whole + ticks)) return to.i64(whole + ticks);
        const exact = BigInt(seconds) * BigInt(perSecond) + BigInt(ticks);
        if (exact > most || exact < -most) throw new Misfit(wanted, value);
        return to.big(exact, 8);
      }
      const ticks = typeof value === 'bigint' || value instanceof ExactNumber ? integerOf(value) : null;
      if (ticks === null || ticks > most || ticks < -most) throw new Misfit(wanted, value);
      to.big(ticks, 8);
    },
    missing: (to) => to.zeros(8),
  };
}
