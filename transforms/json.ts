/**
 * Records as bytes and as values.
 *
 * J1  A number keeps its value: what a double cannot hold becomes an ExactNumber with the digits as written. The one
 *     exception is a short number beyond the range of a double (`1e400`), which becomes infinite, as for every parser.
 * J2  Field names are data: `__proto__` and `constructor` are fields like any other. Of two equal names the last wins.
 * J3  Bytes that are not UTF-8, not JSON or not an object are refused (MR_RECORD_NOT_JSON), never repaired.
 *
 * The record path runs through `decodeRecord`. JSON.parse takes most of its time (0.35 µs for 200 bytes); looking for
 * long numbers byte by byte would add half of that again, so `mayLoseDigits` looks at every sixteenth byte.
 */
import { Buffer } from 'node:buffer';
import { mr, problemOf } from '../model/errors.ts';
import { ExactNumber, type RecordObject } from '../model/value.ts';

/** Node's own slice, on any Uint8Array: a third of the time of `Buffer.from(…).toString()`, and no object is made. */
const { utf8Slice } = Buffer.prototype as Buffer & {
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

/** The JSON object in bytes `start` to `end`. */
export function decodeRecord(bytes: Uint8Array, start: number, end: number): RecordObject {
  const text = utf8Slice.call(bytes, start, end);
  if (text.includes('\uFFFD')) assertUtf8(bytes, start, end);
  const value = parse(text, mayLoseDigits(bytes, start, end));
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof ExactNumber) {
    throw mr('MR_RECORD_NOT_JSON', { problem: `it is ${jsonTypeOf(value)}` });
  }
  return value as RecordObject;
}

function parse(text: string, isExact: boolean): unknown {
  try {
    return isExact ? JSON.parse(text, keepDigits) : JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw mr('MR_RECORD_NOT_JSON', { problem: withoutData(problemOf(error)) }, { cause: error });
  }
}

/** V8 quotes the text around the mistake; records do not belong into messages. */
function withoutData(message: string): string {
  return message.replace(/,? (?:\.\.\.)?".*" is not valid JSON$/s, '').replace(/^"undefined" .*/, 'it is empty');
}

// -- numbers -----------------------------------------------------------------------------------------------------

/** A double holds every decimal of 15 digits, so only a longer run of digits can lose one. */
const run = 16;
const isNumberByte = Uint8Array.from({ length: 256 }, (_, byte) =>
  '0123456789.'.includes(String.fromCharCode(byte)) ? 1 : 0,
);

/**
 * True when the bytes hold a run of 16 digits and points. Each such run covers a byte whose distance from the start is a
 * multiple of 16, so the others need not be looked at.
 */
function mayLoseDigits(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i += run) {
    if (isNumberByte[bytes[i]!] === 0) continue;
    let from = i;
    while (from > start && isNumberByte[bytes[from - 1]!] === 1) from--;
    let to = i + 1;
    while (to < end && isNumberByte[bytes[to]!] === 1) to++;
    if (to - from >= run) return true;
  }
  return false;
}

function keepDigits(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value;
  return isSameNumber(context.source, value) ? value : new ExactNumber(context.source);
}

/**
 * True when the double means the number that was written, however it is used: as its shortest text (a sink that writes
 * text) and, for an integer, as its exact value (a sink that takes it as an integer; 1e30 is not 10^30 there).
 */
function isSameNumber(written: string, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  const wanted = normalized(written);
  if (wanted !== normalized(String(value))) return false;
  return !Number.isInteger(value) || Number.isSafeInteger(value) || wanted === normalized(String(BigInt(value)));
}

/** Sign, digits without zeros around them, and the power of ten of the last digit. */
function normalized(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  if (kept === '') return '0';
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - kept.length);
  return `${sign}${kept}e${power}`;
}

// -- refusals ----------------------------------------------------------------------------------------------------

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function assertUtf8(bytes: Uint8Array, start: number, end: number): void {
  try {
    strictUtf8.decode(bytes.subarray(start, end));
  } catch (error) {
    throw mr('MR_RECORD_NOT_JSON', { problem: 'it is not UTF-8' }, { cause: error });
  }
}

function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof ExactNumber) return 'a number';
  return `a ${typeof value}`;
}
