/** Integers, floats and decimals in RowBinary. */
import { decimalOf } from '../../model/decimal.ts';
import { ExactNumber, type RecordValue } from '../../model/value.ts';
import type { Encoder } from './encoder.ts';
import { integerOf, isLongInteger, scaledDouble, scaledOf } from '../exact.ts';
import { Misfit } from '../misfit.ts';

/** Up to 32 bits. true and false count as 1 and 0, as ClickHouse reads them. */
export function integerEncoder(name: string, width: 1 | 2 | 4, min: number, max: number): Encoder {
  const wanted = `an integer from ${min} to ${max} (${name})`;

  function checked(value: RecordValue): number {
    let number: number;
    if (typeof value === 'number') number = value;
    else if (typeof value === 'bigint' || value instanceof ExactNumber) number = Number(integerOf(value) ?? NaN);
    else if (typeof value === 'boolean') number = value ? 1 : 0;
    else throw new Misfit(wanted, value);
    if (!(number >= min && number <= max) || !Number.isInteger(number)) throw new Misfit(wanted, value);
    return number;
  }

  // Writing a negative number as an unsigned one of the same width is its two's complement.
  switch (width) {
    case 1:
      return { write: (value, to) => to.u8(checked(value)), missing: (to) => to.zeros(1) };
    case 2:
      return { write: (value, to) => to.u16(checked(value)), missing: (to) => to.zeros(2) };
    case 4:
      return { write: (value, to) => to.u32(checked(value)), missing: (to) => to.zeros(4) };
  }
}

/** 64 bits and more; also digits as text, because many producers have no other way to write them in JSON. */
export function bigIntegerEncoder(name: string, width: 8 | 16 | 32, isSigned: boolean): Encoder {
  const bits = BigInt(width * 8);
  const max = isSigned ? 2n ** (bits - 1n) - 1n : 2n ** bits - 1n;
  const min = isSigned ? -(2n ** (bits - 1n)) : 0n;
  const wanted = `an integer from ${min.toString()} to ${max.toString()} (${name})`;
  return {
    write(value, to) {
      if (width === 8 && typeof value === 'number' && Number.isSafeInteger(value) && (isSigned || value >= 0)) {
        return to.i64(value);
      }
      const integer = integerOf(value);
      if (integer === null || integer < min || integer > max) throw new Misfit(wanted, value);
      to.big(integer, width);
    },
    missing: (to) => to.zeros(width),
  };
}

/**
 * What is stored is the nearest number of the type. What would become an infinity or, without being zero, zero is
 * refused: nothing of it would be left. So is an integer that no double holds: it is no measurement, but a name.
 */
export function floatEncoder(name: 'BFloat16' | 'Float32' | 'Float64'): Encoder {
  const wanted = `a number within the range of ${name}`;
  const rounded = roundings[name];

  function checked(value: RecordValue): number {
    let number: number;
    if (typeof value === 'number') number = value;
    else if (typeof value === 'bigint') number = Number(value);
    else if (value instanceof ExactNumber) number = exactDouble(value, wanted);
    else throw new Misfit(`a number (${name})`, value);
    if (typeof value !== 'number' && isLongInteger(typeof value === 'bigint' ? value : value.text)) {
      throw new Misfit(`${wanted}, with no more digits than a double holds when it is an integer`, value);
    }
    const stored = rounded(number);
    if (!Number.isFinite(stored) || (stored === 0 && number !== 0)) throw new Misfit(wanted, value);
    return stored;
  }

  switch (name) {
    case 'Float64':
      return { write: (value, to) => to.f64(checked(value)), missing: (to) => to.zeros(8) };
    case 'Float32':
      return { write: (value, to) => to.f32(checked(value)), missing: (to) => to.zeros(4) };
    case 'BFloat16':
      return { write: (value, to) => to.bf16(checked(value)), missing: (to) => to.zeros(2) };
  }
}

const roundings = {
  Float64: (value: number) => value,
  Float32: Math.fround,
  /** The upper half of a Float32, cut off as ClickHouse does. */
  BFloat16: (value: number) => {
    float[0] = value;
    bits[0]! &= 0xffff_0000;
    return float[0];
  },
} as const;
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function exactDouble(value: ExactNumber, wanted: string): number {
  const number = Number(value.text);
  if (number === 0 && decimalOf(value.text)?.digits !== '') throw new Misfit(wanted, value);
  return number;
}

/** A count of the unit that the type names. */
export function intervalEncoder(name: string): Encoder {
  return bigIntegerEncoder(name, 8, true);
}

/** As many numbers as the type says. */
export function vectorEncoder(element: Encoder, length: number): Encoder {
  const wanted = `an array of ${length} numbers (QBit)`;
  return {
    write(value, to) {
      if (!Array.isArray(value) || value.length !== length) throw new Misfit(wanted, value);
      to.varint(length);
      for (const item of value as readonly RecordValue[]) element.write(item, to);
    },
    missing(to) {
      to.varint(length);
      for (let i = 0; i < length; i++) element.missing(to);
    },
  };
}

export function decimalEncoder(precision: number, scale: number): Encoder {
  const width = precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32;
  const limit = 10n ** BigInt(precision);
  const wanted = `a number with at most ${precision - scale} digits before the point and ${scale} after it`;

  const factor = 10 ** scale;
  const numericLimit = 10 ** precision;
  return {
    write(value, to) {
      if (width <= 8 && typeof value === 'number') {
        // Half of the slow way's cost is bigint. Below 10^14 a number with no more digits than the scale is as near to an
        // integer as this, and one with more digits is not.
        const product = value * factor;
        const ticks = Math.round(product);
        const noise = Math.abs(ticks) * 4e-16;
        if (Math.abs(product) < 1e14 && Math.abs(product - ticks) <= noise && Math.abs(ticks) < numericLimit) {
          return width === 4 ? to.u32(ticks) : to.i64(ticks);
        }
      }
      const scaled = scaledValue(value, scale);
      if (scaled === null || scaled >= limit || scaled <= -limit) throw new Misfit(wanted, value);
      if (width === 4) to.u32(Number(scaled));
      else to.big(scaled, width);
    },
    missing: (to) => to.zeros(width),
  };
}

function scaledValue(value: RecordValue, scale: number): bigint | null {
  if (typeof value === 'number') return scaledDouble(value, scale);
  if (typeof value === 'bigint') return value * 10n ** BigInt(scale);
  if (typeof value === 'string') return scaledOf(value, scale);
  return value instanceof ExactNumber ? scaledOf(value.text, scale) : null;
}
