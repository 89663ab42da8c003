/** Numbers with all their digits: integers and scaled decimals as bigint, from whatever a record holds. */
import { ExactNumber, type RecordValue } from '../../model/value.ts';

const integerText = /^-?[0-9]{1,100}$/;
const numberText = /^(-?)([0-9]{1,200})(?:\.([0-9]{1,200}))?(?:[eE]([+-]?[0-9]{1,3}))?$/;

/** The integer that a value is, or null. Text counts when it is digits only: JSON has no other way for long integers. */
export function integerOf(value: RecordValue): bigint | null {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : null;
  if (typeof value === 'string') return integerText.test(value) ? BigInt(value) : null;
  return value instanceof ExactNumber ? scaledOf(value.text, 0) : null;
}

/** `text` times 10^scale, or null when it is no number or has digits behind the scale: those would be lost. */
export function scaledOf(text: string, scale: number): bigint | null {
  const parts = partsOf(text, scale);
  if (parts === null || /[1-9]/.test(parts.behind)) return null;
  return parts.isNegative ? -parts.kept : parts.kept;
}

/** A double times 10^scale: its shortest text, rounded half away from zero. Null for NaN and infinities. */
export function scaledDouble(value: number, scale: number): bigint | null {
  const parts = partsOf(String(value), scale);
  if (parts === null) return null;
  const magnitude = parts.behind >= '5' ? parts.kept + 1n : parts.kept;
  return parts.isNegative ? -magnitude : magnitude;
}

interface Parts {
  readonly isNegative: boolean;
  /** Digits in front of the scale. */
  readonly kept: bigint;
  /** Digits behind it. */
  readonly behind: string;
}

function partsOf(text: string, scale: number): Parts | null {
  const [, sign, whole, fraction = '', exponent = '0'] = numberText.exec(text) ?? [];
  if (whole === undefined) return null;
  const digits = whole + fraction;
  const length = whole.length + Number(exponent) + scale;
  const kept = length > 0 ? digits.slice(0, length).padEnd(length, '0') : '0';
  const behind = length > 0 ? digits.slice(length) : digits.padStart(digits.length - length, '0');
  return { isNegative: sign === '-', kept: BigInt(kept), behind };
}
