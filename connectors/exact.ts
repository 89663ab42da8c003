/** Numbers with all their digits: integers and scaled decimals as bigint, from whatever a record holds. */
import { decimalOf, scaledInteger } from '../model/decimal.ts';
import { ExactNumber, type RecordValue } from '../model/value.ts';

const integerText = /^-?[0-9]{1,100}$/;

/**
 * The integer that a value is, or null. Text counts when it is digits only: JSON has no other way for long integers.
 */
export function integerOf(value: RecordValue): bigint | null {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : scaledOf(String(value), 0);
  if (typeof value === 'string') return integerText.test(value) ? BigInt(value) : null;
  return value instanceof ExactNumber ? scaledOf(value.text, 0) : null;
}

/** `text` times 10^scale, or null when it is no number or has digits behind the scale: those would be lost. */
export function scaledOf(text: string, scale: number): bigint | null {
  const number = decimalOf(text);
  return number === null ? null : scaledInteger(number, scale);
}

/**
 * A double times 10^scale, or null when it has digits behind the scale (NaN and infinities have none that count).
 * What a double surely has are 15 digits: 0.1 + 0.2 is 0.3 and 19.99 * 3 is 59.97, while 1.005 has three digits after
 * the point.
 */
export function scaledDouble(value: number, scale: number): bigint | null {
  return scaledOf(String(value), scale) ?? scaledOf(value.toPrecision(15), scale);
}

/** An integer with more digits than a double holds. All of its digits are meant: a float column would change some. */
export function isLongInteger(value: bigint | string): boolean {
  const integer = typeof value === 'bigint' ? value : scaledOf(value, 0);
  if (integer === null) return false;
  const double = Number(integer);
  return Number.isFinite(double) && BigInt(double) !== integer;
}
