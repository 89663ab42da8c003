/**
 * The shape of a record: the bytes around its values, which other records of its source mostly have, too.
 *
 * S1  The bytes around the values are valid JSON, whatever the values are: `{`, names, colons, commas, `}` and space.
 *     So a record with the same bytes around valid values is valid as a whole.
 * S2  No shape has two fields of one name, a name that every object inherits, or half a surrogate pair in a name.
 */
import { Buffer } from 'node:buffer';
import type { FlatShape } from '../../model/flat-record.ts';

export interface LearnedShape extends FlatShape {
  /** All pieces in a row: before the first value, between two, after the last. */
  readonly pieces: Uint8Array;
  readonly view: DataView;
  /** Where piece i begins; one more entry than there are pieces. */
  readonly starts: Int32Array;
  /** Indices of the touched fields. */
  readonly decoded: Int32Array;
}

/** With more fields the shape would be larger than what it saves. */
const mostFields = 1024;

/** Null: records like this one are decoded. */
export function learnShape(
  bytes: Uint8Array,
  start: number,
  end: number,
  touched: ReadonlySet<string>,
): LearnedShape | null {
  const found = piecesOf(bytes, start, end);
  if (found === null) return null;
  const { names, bounds } = found;
  if (names.length > mostFields || new Set(names).size < names.length || names.some((name) => !isPlain(name))) {
    return null;
  }
  const parts = bounds.map(({ from, to }) => bytes.subarray(from, to));
  const pieces = Uint8Array.from(Buffer.concat(parts));
  const starts = new Int32Array(parts.length + 1);
  for (let i = 0; i < parts.length; i++) starts[i + 1] = starts[i]! + parts[i]!.length;
  const decoded = Int32Array.from(names.flatMap((name, i) => (touched.has(name) ? [i] : [])));
  return { names, touched, pieces, view: new DataView(pieces.buffer), starts, decoded };
}

function isPlain(name: string): boolean {
  return name.isWellFormed() && !(name in Object.prototype);
}

interface Pieces {
  readonly names: readonly string[];
  readonly bounds: readonly { readonly from: number; readonly to: number }[];
}

/** Null for what is nested or no object, and for what has no field. */
function piecesOf(bytes: Uint8Array, start: number, end: number): Pieces | null {
  const names: string[] = [];
  const bounds: { from: number; to: number }[] = [];
  let from = start;
  let at = afterSpace(bytes, start, end);
  for (let mark = openBrace; ; mark = comma) {
    if (at >= end || bytes[at] !== mark) return null;
    const quoteAt = afterSpace(bytes, at + 1, end);
    const name = bytes[quoteAt] === quote ? nameAt(bytes, quoteAt, end) : null;
    if (name === null) return null;
    names.push(name.text);
    const colonAt = afterSpace(bytes, name.end, end);
    if (colonAt >= end || bytes[colonAt] !== colon) return null;
    const valueAt = afterSpace(bytes, colonAt + 1, end);
    bounds.push({ from, to: valueAt });
    from = endOfValue(bytes, valueAt, end);
    if (from < 0) return null;
    at = afterSpace(bytes, from, end);
    if (at < end && bytes[at] === closeBrace) break;
  }
  if (afterSpace(bytes, at + 1, end) !== end) return null;
  bounds.push({ from, to: end });
  return { names, bounds };
}

function nameAt(bytes: Uint8Array, quoteAt: number, end: number): { text: string; end: number } | null {
  const last = endOfText(bytes, quoteAt, end);
  if (last < 0) return null;
  try {
    const text: unknown = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset + quoteAt, last - quoteAt).toString('utf8'),
    );
    return typeof text === 'string' ? { text, end: last } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** -1 when it is nested, or has no end. What it is does not matter here (S1). */
function endOfValue(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at];
  if (at >= end || first === openBrace || first === openBracket) return -1;
  if (first === quote) return endOfText(bytes, at, end);
  for (let i = at; i < end; i++) {
    const byte = bytes[i];
    if (byte === comma || byte === closeBrace || isSpace(byte)) return i;
  }
  return -1;
}

/** After the closing quote; -1 when there is none. */
function endOfText(bytes: Uint8Array, quoteAt: number, end: number): number {
  for (let i = quoteAt + 1; i < end; i++) {
    if (bytes[i] === quote) return i + 1;
    if (bytes[i] === backslash) i++;
  }
  return -1;
}

function afterSpace(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && isSpace(bytes[at])) at++;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
