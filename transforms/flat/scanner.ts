/**
 * Finds the values of a record without decoding it (model/flat-record.ts).
 *
 * L1  A record is accepted when the bytes around its values are those of a known shape (`./learn.ts`) and each value is
 *     valid JSON. All others are left to `decodeRecord`, which also says what is wrong with them.
 * S3  Memory is bounded by {@link mostShapes}; a source whose records are all different is soon no longer tried.
 *
 * The record path: four bytes at a time, no calls into the runtime, nothing made per record. UTF-8 is checked for a
 * whole frame at once (`open`), which costs next to nothing; so is the end of the bytes, so that reads need no check.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { written, type FlatRecord } from '../../model/flat-record.ts';
import { decodeJson, type RecordObject, type RecordValue } from '../../model/value.ts';
import { learnShape, type LearnedShape } from './learn.ts';

const mostShapes = 8;
/** After this many records in a row that match no shape, only one in as many is tried. */
const patience = 64;
/** A double holds every decimal of 15 digits, and the quotient of two such integers is the nearest one. */
const mostDigits = 15;
const powersOfTen = Float64Array.from({ length: mostDigits + 1 }, (_, power) => 10 ** power);

/** What `toString('utf8', start, end)` calls, here also on bytes that are no Buffer. */
const { utf8Slice } = Buffer.prototype as Buffer & {
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

const nothing: Uint8Array = new Uint8Array(0);

export class FlatScanner implements FlatRecord {
  bytes = nothing;
  view: DataView = new DataView(nothing.buffer);
  kinds = new Uint8Array(64);
  starts = new Int32Array(64);
  ends = new Int32Array(64);
  numbers = new Float64Array(64);
  values: RecordObject = {};
  shape: LearnedShape;
  readonly #touched: ReadonlySet<string>;
  readonly #shapes: LearnedShape[] = [];
  #isOpen = false;
  #misses = 0;
  #next = 0;

  constructor(touched: ReadonlySet<string>) {
    this.#touched = touched;
    const view = new DataView(nothing.buffer);
    this.shape = { names: [], touched, pieces: nothing, view, starts: new Int32Array(1), decoded: new Int32Array(0) };
  }

  /** The next records are in these bytes, before `end`. */
  open(bytes: Uint8Array, end: number): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // One record may end with half a character and the next begin with its other half, and together they are UTF-8. But
    // then the first does not end with a brace, and is not taken.
    this.#isOpen = end + 4 <= bytes.length && isUtf8(bytes.subarray(0, end));
  }

  /** True: this is now the record at `start` to `end`. */
  scan(start: number, end: number): boolean {
    if (!this.#isOpen) return false;
    if (this.#misses > patience && ++this.#misses % patience !== 0) return false;
    if (this.#follow(this.shape, start, end) || this.#tryOthers(start, end)) {
      this.#misses = 0;
      this.#decodeTouched();
      return true;
    }
    this.#misses++;
    this.#learn(start, end);
    return false;
  }

  valueOf(field: number): RecordValue {
    const start = this.starts[field]!;
    const end = this.ends[field]!;
    switch (this.kinds[field]) {
      case written.text:
        return utf8Slice.call(this.bytes, start, end);
      case written.number:
        return this.numbers[field]!;
      case written.true:
        return true;
      case written.false:
        return false;
      case written.null:
        return null;
      case written.escapedText:
        return decodeJson(utf8Slice.call(this.bytes, start - 1, end + 1));
      default:
        return decodeJson(utf8Slice.call(this.bytes, start, end));
    }
  }

  #decodeTouched(): void {
    const { names, decoded } = this.shape;
    if (this.#touched.size === 0) return;
    const values: RecordObject = {};
    for (let i = 0; i < decoded.length; i++) values[names[decoded[i]!]!] = this.valueOf(decoded[i]!);
    this.values = values;
  }

  #tryOthers(start: number, end: number): boolean {
    for (let i = 0; i < this.#shapes.length; i++) {
      const shape = this.#shapes[i]!;
      if (shape === this.shape || !this.#follow(shape, start, end)) continue;
      this.shape = shape;
      return true;
    }
    return false;
  }

  #learn(start: number, end: number): void {
    const learned = learnShape(this.bytes, start, end, this.#touched);
    if (learned === null || this.#shapes.some(({ pieces }) => Buffer.compare(pieces, learned.pieces) === 0)) return;
    this.#shapes[this.#next] = learned;
    this.#next = (this.#next + 1) % mostShapes;
    this.shape = learned;
    const fields = learned.names.length;
    if (fields <= this.kinds.length) return;
    this.kinds = new Uint8Array(fields);
    this.starts = new Int32Array(fields);
    this.ends = new Int32Array(fields);
    this.numbers = new Float64Array(fields);
  }

  #follow({ names, view: wanted, pieces, starts: pieceStarts }: LearnedShape, start: number, end: number): boolean {
    const { bytes, view, kinds, starts, ends } = this;
    const fields = names.length;
    let at = start;
    for (let field = 0; ; field++) {
      let piece = pieceStarts[field]!;
      const pieceEnd = pieceStarts[field + 1]!;
      // Also what keeps every read below inside of the bytes.
      if (at + pieceEnd - piece > end) return false;
      for (; piece + 4 <= pieceEnd; piece += 4, at += 4) {
        if (view.getInt32(at, true) !== wanted.getInt32(piece, true)) return false;
      }
      for (; piece < pieceEnd; piece++, at++) if (bytes[at] !== pieces[piece]) return false;
      if (field === fields) return at === end && fields > 0;

      const first = bytes[at]!;
      if (first === quote) {
        const textStart = at + 1;
        at = this.#endOfText(field, textStart, end);
        if (at < 0) return false;
        starts[field] = textStart;
        ends[field] = at++;
      } else if (first === minus || (first >= zero && first <= nine)) {
        starts[field] = at;
        at = this.#endOfNumber(field, at);
        if (at < 0) return false;
        ends[field] = at;
      } else if (first === letterT && at + 4 <= end && view.getInt32(at, true) === wordTrue) {
        kinds[field] = written.true;
        at += 4;
      } else if (first === letterN && at + 4 <= end && view.getInt32(at, true) === wordNull) {
        kinds[field] = written.null;
        at += 4;
      } else if (first === letterF && at + 5 <= end && view.getInt32(at + 1, true) === wordFalse) {
        kinds[field] = written.false;
        at += 5;
      } else return false;
    }
  }

  /** Where the closing quote is; -1 when the text is not to be taken. */
  #endOfText(field: number, start: number, end: number): number {
    const { bytes, view } = this;
    let at = start;
    this.kinds[field] = written.text;
    while (at < end) {
      const word = view.getInt32(at, true);
      const quotes = word ^ 0x2222_2222;
      const slashes = word ^ 0x5c5c_5c5c;
      // The highest bit of each byte that is a quote, a backslash or below a space; exact up to the first such byte.
      const found =
        (((quotes - 0x0101_0101) & ~quotes) | ((slashes - 0x0101_0101) & ~slashes) | ((word - 0x2020_2020) & ~word)) &
        0x8080_8080;
      if (found === 0) {
        at += 4;
        continue;
      }
      at += (31 - Math.clz32(found & -found)) >> 3;
      const byte = bytes[at]!;
      if (byte === quote) return at < end ? at : -1;
      // `\u` may be half a pair.
      if (byte !== backslash || isSimpleEscape[bytes[at + 1]!] !== 1) return -1;
      this.kinds[field] = written.escapedText;
      at += 2;
    }
    return -1;
  }

  /** -1 when it is not a number. It may end after the record: then the brace is missing. */
  #endOfNumber(field: number, start: number): number {
    const { bytes } = this;
    let at = start;
    const isNegative = bytes[at] === minus;
    if (isNegative) at++;
    const wholeAt = at;
    let digits = 0;
    let byte = bytes[at]!;
    for (; byte >= zero && byte <= nine; byte = bytes[++at]!) digits = digits * 10 + (byte - zero);
    let count = at - wholeAt;
    if (count === 0 || (count > 1 && bytes[wholeAt] === zero)) return -1;
    let behind = 0;
    if (byte === point) {
      const fractionAt = ++at;
      byte = bytes[at]!;
      for (; byte >= zero && byte <= nine; byte = bytes[++at]!) digits = digits * 10 + (byte - zero);
      behind = at - fractionAt;
      if (behind === 0) return -1;
      count += behind;
    }
    if (byte === smallE || byte === capitalE) {
      byte = bytes[++at]!;
      if (byte === minus || byte === plus) byte = bytes[++at]!;
      const exponentAt = at;
      while (byte >= zero && byte <= nine) byte = bytes[++at]!;
      if (at === exponentAt) return -1;
      count = mostDigits + 1;
    }
    if (count > mostDigits) {
      this.kinds[field] = written.longNumber;
      return at;
    }
    this.kinds[field] = written.number;
    const value = behind === 0 ? digits : digits / powersOfTen[behind]!;
    this.numbers[field] = isNegative ? -value : value;
    return at;
  }
}

const quote = 0x22;
const backslash = 0x5c;
const minus = 0x2d;
const plus = 0x2b;
const point = 0x2e;
const zero = 0x30;
const nine = 0x39;
const smallE = 0x65;
const capitalE = 0x45;
const letterT = 0x74;
const letterN = 0x6e;
const letterF = 0x66;
/** As `getInt32` reads them, little-endian. */
const wordTrue = 0x65757274;
const wordNull = 0x6c6c756e;
/** `alse`: `false` without the letter that was compared before. */
const wordFalse = 0x65736c61;
const isSimpleEscape = Uint8Array.from({ length: 256 }, (_, byte) =>
  '"\\/bfnrt'.includes(String.fromCharCode(byte)) ? 1 : 0,
);
