/**
 * Decimal numbers as text, split into parts: for numbers whose digits a double would lose.
 *
 * N1  The work is proportional to the length of the text, whatever its digits are: the sender of a record chooses them.
 */

export interface Decimal {
  readonly isNegative: boolean;
  /** Without zeros at either end; empty for zero. */
  readonly digits: string;
  /** Power of ten of the last digit. Exact up to 10^15, which is beyond every range that there is. */
  readonly power: number;
}

/** The parts of a text that is read; tests count the calls. */
export type DigitText = Pick<string, 'length' | 'charCodeAt' | 'slice'>;

const minus = 0x2d;
const plus = 0x2b;
const point = 0x2e;
const zero = 0x30;
const nine = 0x39;

/** The number that a text is by JSON's grammar, zeros in front allowed; null when it is none. */
export function decimalOf(text: DigitText): Decimal | null {
  const isNegative = text.charCodeAt(0) === minus;
  const wholeAt = isNegative ? 1 : 0;
  const wholeEnd = endOfDigits(text, wholeAt);
  if (wholeEnd === wholeAt) return null;
  let at = wholeEnd;
  let fraction = '';
  if (text.charCodeAt(at) === point) {
    const end = endOfDigits(text, at + 1);
    if (end === at + 1) return null;
    fraction = text.slice(at + 1, end);
    at = end;
  }
  const exponent = exponentOf(text, at);
  if (exponent === null) return null;
  const all = fraction === '' ? text.slice(wholeAt, wholeEnd) : text.slice(wholeAt, wholeEnd) + fraction;
  const from = afterZeros(all);
  const to = beforeZeros(all, from);
  const power = exponent - fraction.length + (all.length - to);
  return { isNegative, digits: all.slice(from, to), power: from === to ? 0 : power };
}

/** True when two numbers are the same, however many zeros either is written with. */
export function isSameDecimal(a: Decimal | null, b: Decimal | null): boolean {
  if (a === null || b === null || a.digits !== b.digits) return false;
  return a.digits === '' || (a.power === b.power && a.isNegative === b.isNegative);
}

/** More digits than any column holds; converting such a number would only take time. */
const longestInteger = 400;

/** `number` times 10^scale as an integer; null when digits are behind the scale, or the integer is absurdly long. */
export function scaledInteger({ isNegative, digits, power }: Decimal, scale: number): bigint | null {
  if (digits === '') return 0n;
  const zeros = power + scale;
  if (zeros < 0 || digits.length + zeros > longestInteger) return null;
  const magnitude = BigInt(digits + '0'.repeat(zeros));
  return isNegative ? -magnitude : magnitude;
}

function endOfDigits(text: DigitText, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code >= zero && code <= nine; code = text.charCodeAt(at)) at++;
  return at;
}

/** The exponent after the digits: none is 0. Null when it is not an exponent, or something follows it. */
function exponentOf(text: DigitText, from: number): number | null {
  if (from === text.length) return 0;
  const mark = text.charCodeAt(from);
  if (mark !== 0x65 && mark !== 0x45) return null;
  const sign = text.charCodeAt(from + 1);
  const digitsAt = sign === minus || sign === plus ? from + 2 : from + 1;
  const end = endOfDigits(text, digitsAt);
  if (end === digitsAt || end !== text.length) return null;
  let first = digitsAt;
  while (first < end - 1 && text.charCodeAt(first) === zero) first++;
  const magnitude = end - first > 15 ? 1e15 : Number(text.slice(first, end));
  return sign === minus ? -magnitude : magnitude;
}

function afterZeros(digits: string): number {
  let from = 0;
  while (from < digits.length && digits.charCodeAt(from) === zero) from++;
  return from;
}

function beforeZeros(digits: string, from: number): number {
  let to = digits.length;
  while (to > from && digits.charCodeAt(to - 1) === zero) to--;
  return to;
}
