/**
 * Records as bytes and as values.
 *
 * J1  A number keeps its value: what a double cannot hold becomes an ExactNumber with the digits as written. A double
 *     stands for its shortest text.
 * J2  Field names are data: `__proto__` and `constructor` are fields like any other. Of two equal names the last wins.
 * J3  Bytes that are not UTF-8, not JSON or not an object are refused (MR_RECORD_NOT_JSON), never repaired. So is
 *     half a surrogate pair (`\ud83d`), which is no character and has no UTF-8: what a record holds, every sink can
 *     write.
 * J4  A record that is nested deeper than {@link maxDepth} is refused, so that nothing after this place runs out of
 *     stack.
 * J5  The work is in proportion to the bytes.
 *
 * A leading byte order mark is skipped.
 *
 * The record path runs through `decodeRecord`. JSON.parse takes most of its time (0.35 µs for 200 bytes), and looking
 * at each byte would add half of that again: `mayLoseDigits` looks at every sixteenth, and the searches in the text
 * are those that the engine does many bytes at a time.
 */
import { Buffer } from 'node:buffer';
import { mr, problemOf } from '../model/errors.ts';
import { decodeJson, ExactNumber, maxDepth, type RecordObject } from '../model/value.ts';

/** Node's own slice, on any Uint8Array: a third of the time of `Buffer.from(…).toString()`, and no object is made. */
const { utf8Slice } = Buffer.prototype as Buffer & {
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

/** The JSON object in bytes `start` to `end`. */
export function decodeRecord(bytes: Uint8Array, start: number, end: number): RecordObject {
  const from = bytes[start] === 0xef && isByteOrderMark(bytes, start, end) ? start + 3 : start;
  const text = utf8Slice.call(bytes, from, end);
  if (text.includes('\uFFFD')) assertUtf8(bytes, from, end);
  if (text.length > 2 * maxDepth && mayBeDeep(text)) assertShallow(text);
  const isExact = mayLoseDigits(bytes, from, end) || mayLeaveRange(text);
  const value = parse(text, isExact);
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof ExactNumber) {
    throw mr('MR_RECORD_NOT_JSON', { problem: `it is ${jsonTypeOf(value)}` });
  }
  if (text.includes('\\u') && halfPair.test(text)) assertWellFormed(value);
  return value as RecordObject;
}

function parse(text: string, isExact: boolean): unknown {
  try {
    return isExact ? decodeJson(text) : JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw mr('MR_RECORD_NOT_JSON', { problem: withoutData(problemOf(error)) }, { cause: error });
  }
}

/** V8 quotes some characters around the mistake; records do not belong into messages. */
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
 * True when the bytes hold a run of 16 digits and points. Each such run covers a byte whose distance from the start
 * is a multiple of 16, so the others need not be looked at.
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

/** A number of at most 15 digits is beyond a double's range only with an exponent of three digits or more. */
const longExponent = /[0-9][eE][-+]?[0-9]{3}/;
/** Not in the middle of a text such as `5e123c`. */
const numberWithLongExponent = /(?:^|[[:,\s])-?[0-9][0-9.]*[eE][-+]?[0-9]{3}/;

function mayLeaveRange(text: string): boolean {
  return longExponent.test(text) && numberWithLongExponent.test(text);
}

// -- refusals ----------------------------------------------------------------------------------------------------

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isByteOrderMark(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start >= 3 && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf;
}

function assertUtf8(bytes: Uint8Array, start: number, end: number): void {
  try {
    strictUtf8.decode(bytes.subarray(start, end));
  } catch (error) {
    throw mr('MR_RECORD_NOT_JSON', { problem: encodingProblem(bytes[start], bytes[start + 1]) }, { cause: error });
  }
}

function encodingProblem(first: number | undefined, second: number | undefined): string {
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  return isUtf16 ? 'it is UTF-16 (it begins with a byte order mark), and must be UTF-8' : 'it is not UTF-8';
}

/** Only a text with that many brackets can be that deep; nearly no record has them. */
function mayBeDeep(text: string): boolean {
  let left = maxDepth;
  for (let at = text.indexOf('{'); at >= 0; at = text.indexOf('{', at + 1)) if (left-- === 0) return true;
  for (let at = text.indexOf('['); at >= 0; at = text.indexOf('[', at + 1)) if (left-- === 0) return true;
  return false;
}

function assertShallow(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfText(text, at);
    else if (code === openBrace || code === openBracket) depth++;
    else if (code === closeBrace || code === closeBracket) depth--;
    if (depth > maxDepth) throw mr('MR_RECORD_NOT_JSON', { problem: `it is nested deeper than ${maxDepth} levels` });
  }
}

const quote = 0x22;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const backslash = 0x5c;

function endOfText(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash) at++;
  }
  return text.length;
}

const halfPair = /\\u[dD][89a-fA-F]/;

/** Recursion ends: the value is shallow (J4). */
function assertWellFormed(value: unknown): void {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) {
      throw mr('MR_RECORD_NOT_JSON', { problem: 'a text in it has half a surrogate pair, which is no character' });
    }
  } else if (Array.isArray(value)) {
    value.forEach(assertWellFormed);
  } else if (typeof value === 'object' && value !== null && !(value instanceof ExactNumber)) {
    for (const [key, member] of Object.entries(value)) {
      assertWellFormed(key);
      assertWellFormed(member);
    }
  }
}

function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof ExactNumber) return 'a number';
  return `a ${typeof value}`;
}
