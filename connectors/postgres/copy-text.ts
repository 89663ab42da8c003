/** A growing buffer of rows in COPY's text format: values between tabs, rows between line ends, `\N` for null. */

export const nullMarker = '\\N';
/** Of a column's default. As that of null, it is no value's text, because a value's backslashes are doubled. */
export const defaultMarker = '\\D';

const initialBytes = 1 << 16;
const backslash = 0x5c;
/** The characters that the format gives a meaning to. */
const special = /[\\\n\r\t]/;
const specials = /[\\\n\r\t]/g;
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const meant = new Map(Object.entries(escapes).map(([char, written]) => [written, char]));

/** The values of one row; null for the markers. */
export function copiedValues(row: Buffer): (string | null)[] {
  const fields = row.toString('utf8').replace(/\n$/, '').split('\t');
  return fields.map((field) =>
    field === nullMarker || field === defaultMarker
      ? null
      : field.replaceAll(/\\[^]/g, (written) => meant.get(written) ?? written),
  );
}

export class CopyText {
  at = 0;
  #bytes = Buffer.allocUnsafeSlow(initialBytes);

  slice(start: number, end: number): Buffer {
    return this.#bytes.subarray(start, end);
  }

  /** Text that holds nothing special: digits, markers. */
  plain(text: string): void {
    this.#reserve(text.length);
    this.at += this.#bytes.write(text, this.at, 'latin1');
  }

  byte(code: number): void {
    this.#reserve(1);
    this.#bytes[this.at++] = code;
  }

  /** Any text, escaped. */
  text(text: string): void {
    const { length } = text;
    if (length > 40) return this.#anyText(text);
    this.#reserve(length);
    const start = this.at;
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code < 0x20 || code === backslash || code >= 0x80) return this.#anyText(text);
      bytes[start + i] = code;
    }
    this.at = start + length;
  }

  #anyText(text: string): void {
    const escaped = special.test(text) ? text.replaceAll(specials, (char) => escapes[char] ?? char) : text;
    this.#reserve(escaped.length * 3);
    this.at += this.#bytes.write(escaped, this.at, 'utf8');
  }

  #reserve(by: number): void {
    if (this.at + by <= this.#bytes.length) return;
    let capacity = this.#bytes.length * 2;
    while (capacity < this.at + by) capacity *= 2;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#bytes.copy(grown, 0, 0, this.at);
    this.#bytes = grown;
  }
}
