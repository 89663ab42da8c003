/** Numbers with all their digits: integers and scaled decimals as bigint, from whatever a record holds. */
import { decimalOf, roundedInteger, scaledInteger } from '../model/decimal.ts';
import { ExactNumber, type RecordValue } from '../model/value.ts';

const integerText = /^-?[0-9]{1,100}$/;

/** The integer that a value is, or null. Text counts when it is digits only: JSON has no other way for long integers. */
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

/** A double times 10^scale: its shortest text, rounded half away from zero. Null for NaN and infinities. */
export function scaledDouble(value: number, scale: number): bigint | null {
  const number = decimalOf(String(value));
  return number === null ? null : roundedInteger(number, scale);
}
