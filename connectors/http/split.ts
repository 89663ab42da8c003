/**
 * The records in a request's body: ranges of its bytes, each one JSON object as it was sent.
 *
 * J2  All or nothing: a body with one bad record yields none.
 * J3  A leading byte order mark is not part of a record.
 */
import { isUtf8 } from 'node:buffer';
import { JsonProblem, JsonScanner } from '../../model/json-scan.ts';

export type BodyForm = 'json' | 'lines';

export interface Ranges {
  readonly start: Int32Array;
  readonly end: Int32Array;
}

const openBrace = 0x7b;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;

/** The form that a Content-Type names. */
export function bodyForm(contentType: string | undefined): BodyForm | undefined {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (/^application\/(x-ndjson|ndjson|jsonl|x-jsonlines|json-lines)$/.test(type)) return 'lines';
  if (/^application\/([a-z0-9.+-]+\+)?json$/.test(type)) return 'json';
  return undefined;
}

/** Throws a {@link JsonProblem}. */
export function splitRecords(body: Uint8Array, form: BodyForm): Ranges {
  if (!isUtf8(body)) throw new JsonProblem(isUtf16(body) ? 'it is UTF-16 and must be UTF-8' : 'it is not UTF-8');
  const found = new Found(body);
  if (form === 'lines') found.lines();
  else found.json();
  return { start: found.starts.slice(0, found.count), end: found.ends.slice(0, found.count) };
}

class Found {
  starts = new Int32Array(64);
  ends = new Int32Array(64);
  count = 0;
  readonly #scanner: JsonScanner;

  constructor(body: Uint8Array) {
    this.#scanner = new JsonScanner(body, hasByteOrderMark(body) ? 3 : 0);
  }

  /** One object, or an array of objects. */
  json(): void {
    const scanner = this.#scanner;
    scanner.space();
    if (scanner.byte() === openBracket) this.#array();
    else this.#record();
    scanner.space();
    if (!scanner.isAtEnd()) scanner.fail('the end');
  }

  lines(): void {
    const scanner = this.#scanner;
    scanner.space();
    while (!scanner.isAtEnd()) {
      this.#record();
      if (!scanner.space() && !scanner.isAtEnd()) scanner.fail('the end of the line');
    }
  }

  #array(): void {
    const scanner = this.#scanner;
    scanner.at++;
    scanner.space();
    if (scanner.byte() === closeBracket) {
      scanner.at++;
      return;
    }
    for (;;) {
      this.#record();
      scanner.space();
      const byte = scanner.byte();
      if (byte !== comma && byte !== closeBracket) scanner.fail('"," or "]"');
      scanner.at++;
      if (byte === closeBracket) return;
      scanner.space();
    }
  }

  #record(): void {
    const scanner = this.#scanner;
    if (scanner.byte() !== openBrace) scanner.fail(`a JSON object (record ${this.count})`);
    if (this.count === this.starts.length) {
      this.starts = doubled(this.starts);
      this.ends = doubled(this.ends);
    }
    this.starts[this.count] = scanner.at;
    scanner.value();
    this.ends[this.count++] = scanner.at;
  }
}

function doubled(table: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(table.length * 2);
  larger.set(table);
  return larger;
}

function hasByteOrderMark(body: Uint8Array): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}

function isUtf16(body: Uint8Array): boolean {
  return (body[0] === 0xff && body[1] === 0xfe) || (body[0] === 0xfe && body[1] === 0xff);
}
