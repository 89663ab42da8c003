/**
 * Where JSON values start and end in bytes, without building them: records keep the bytes that were sent.
 *
 * J1  Accepts exactly what JSON.parse accepts, on valid UTF-8, nested no deeper than {@link maxDepth}.
 */
import { maxDepth } from './value.ts';

/** Says what is wrong and where. */
export class JsonProblem extends Error {
  override readonly name = 'JsonProblem';
}

const zero = 0x30;
const nine = 0x39;
const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;
const minus = 0x2d;
const plus = 0x2b;
const dot = 0x2e;

export class JsonScanner {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  /** The byte at the cursor; -1 at the end. */
  byte(): number {
    return this.#bytes[this.at] ?? -1;
  }

  /** Skips white space. Returns whether a line ended in it. */
  space(): boolean {
    let hasNewline = false;
    for (;;) {
      const byte = this.byte();
      if (byte === 0x0a) hasNewline = true;
      else if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return hasNewline;
      this.at++;
    }
  }

  /** Skips one value; the cursor must be at its first byte. */
  value(depth = 0): void {
    switch (this.byte()) {
      case openBrace:
        return this.#object(depth + 1);
      case openBracket:
        return this.#array(depth + 1);
      case quote:
        return this.#string();
      case 0x74:
        return this.#literal('true');
      case 0x66:
        return this.#literal('false');
      case 0x6e:
        return this.#literal('null');
      default:
        return this.#number();
    }
  }

  fail(wanted: string): never {
    const actual = this.isAtEnd() ? 'the end' : JSON.stringify(String.fromCharCode(this.byte()));
    throw new JsonProblem(`what stands at byte ${this.at} must be ${wanted}, but is ${actual}`);
  }

  #object(depth: number): void {
    this.#enter(depth);
    if (this.#closes(closeBrace)) return;
    for (;;) {
      if (this.byte() !== quote) this.fail('a field name in quotes');
      this.#string();
      this.space();
      if (this.byte() !== colon) this.fail('":"');
      this.at++;
      this.space();
      this.value(depth);
      this.space();
      if (this.#closes(closeBrace)) return;
      if (this.byte() !== comma) this.fail('"," or "}"');
      this.at++;
      this.space();
    }
  }

  #array(depth: number): void {
    this.#enter(depth);
    if (this.#closes(closeBracket)) return;
    for (;;) {
      this.value(depth);
      this.space();
      if (this.#closes(closeBracket)) return;
      if (this.byte() !== comma) this.fail('"," or "]"');
      this.at++;
      this.space();
    }
  }

  #enter(depth: number): void {
    if (depth > maxDepth) throw new JsonProblem(`at byte ${this.at} it is nested deeper than ${maxDepth}`);
    this.at++;
    this.space();
  }

  #closes(byte: number): boolean {
    if (this.byte() !== byte) return false;
    this.at++;
    return true;
  }

  #string(): void {
    this.at++;
    for (;;) {
      const byte = this.byte();
      if (byte === quote) break;
      if (byte < 0x20) this.fail('a character of a string');
      this.at++;
      if (byte === backslash) this.#escape();
    }
    this.at++;
  }

  #escape(): void {
    const byte = this.byte();
    if (byte === 0x75) {
      for (let digits = 4; digits > 0; digits--) {
        this.at++;
        if (!isHex(this.byte())) this.fail('a hexadecimal digit');
      }
    } else if (!simpleEscapes.has(byte)) {
      this.fail('an escape such as \\n');
    }
    this.at++;
  }

  #literal(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.byte() !== word.charCodeAt(i)) this.fail(`part of "${word}"`);
      this.at++;
    }
  }

  #number(): void {
    if (this.byte() === minus) this.at++;
    if (this.byte() === zero) this.at++;
    else if (!this.#digits()) this.fail('a value');
    if (this.byte() === dot) {
      this.at++;
      if (!this.#digits()) this.fail('a digit');
    }
    if (this.byte() === 0x65 || this.byte() === 0x45) {
      this.at++;
      if (this.byte() === plus || this.byte() === minus) this.at++;
      if (!this.#digits()) this.fail('a digit');
    }
  }

  #digits(): boolean {
    const start = this.at;
    while (this.byte() >= zero && this.byte() <= nine) this.at++;
    return this.at > start;
  }
}

const simpleEscapes: ReadonlySet<number> = new Set(Array.from('"\\/bfnrt', (char) => char.charCodeAt(0)));

function isHex(byte: number): boolean {
  return (byte >= zero && byte <= nine) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}
