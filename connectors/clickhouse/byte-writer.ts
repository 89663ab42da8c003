/**
 * A growing buffer with ClickHouse's binary primitives (little-endian).
 *
 * W1  `at` is the length; setting it back discards what was written after it.
 * W2  Memory grows by doubling and is kept by `at = 0`.
 *
 * On the record path: no allocation per value except for strings that are not short ASCII.
 */

const initialBytes = 1 << 16;
/** Below this many characters a loop over them is cheaper than a call into the runtime (measured on Node 24). */
const shortText = 24;

/** Up to this many bytes, word by word is cheaper than a view of them. */
const mostWords = 128;

export class ByteWriter {
  at = 0;
  #bytes: Buffer;
  #view: DataView;

  constructor(capacity = initialBytes) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** A view on what is written between two places; valid until the next write. */
  slice(start: number, end: number): Buffer {
    return this.#bytes.subarray(start, end);
  }

  u8(value: number): void {
    if (this.at + 1 > this.#bytes.length) this.#grow(1);
    this.#bytes[this.at++] = value;
  }

  u16(value: number): void {
    if (this.at + 2 > this.#bytes.length) this.#grow(2);
    this.#view.setUint16(this.at, value, true);
    this.at += 2;
  }

  u32(value: number): void {
    if (this.at + 4 > this.#bytes.length) this.#grow(4);
    this.#view.setUint32(this.at, value, true);
    this.at += 4;
  }

  /** Two's complement of a safe integer in 8 bytes. */
  i64(value: number): void {
    if (this.at + 8 > this.#bytes.length) this.#grow(8);
    const low = value >>> 0;
    this.#view.setUint32(this.at, low, true);
    this.#view.setInt32(this.at + 4, (value - low) / 0x1_0000_0000, true);
    this.at += 8;
  }

  /** Two's complement in `width` bytes, a multiple of 8. */
  big(value: bigint, width: number): void {
    if (this.at + width > this.#bytes.length) this.#grow(width);
    let rest = value;
    for (let end = this.at + width; this.at < end; this.at += 8) {
      this.#view.setBigUint64(this.at, BigInt.asUintN(64, rest), true);
      rest >>= 64n;
    }
  }

  f32(value: number): void {
    if (this.at + 4 > this.#bytes.length) this.#grow(4);
    this.#view.setFloat32(this.at, value, true);
    this.at += 4;
  }

  /** The upper half of the number as Float32. */
  bf16(value: number): void {
    this.f32(value);
    this.#bytes.copyWithin(this.at - 4, this.at - 2, this.at);
    this.at -= 2;
  }

  f64(value: number): void {
    if (this.at + 8 > this.#bytes.length) this.#grow(8);
    this.#view.setFloat64(this.at, value, true);
    this.at += 8;
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  /** Length and UTF-8 bytes. */
  text(value: string): void {
    const { length } = value;
    if (length >= shortText) return this.#longText(value);
    const start = this.at;
    if (start + 1 + length > this.#bytes.length) this.#grow(1 + length);
    const bytes = this.#bytes;
    bytes[start] = length;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return this.#longText(value);
      bytes[start + 1 + i] = code;
    }
    this.at = start + 1 + length;
  }

  /** Length and bytes of a text that is UTF-8 already. Three bytes behind its end are read. */
  copiedText(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const length = end - start;
    if (this.at + length + 16 > this.#bytes.length) this.#grow(length + 16);
    if (length < 0x80) this.#bytes[this.at++] = length;
    else this.varint(length);
    const { at } = this;
    if (length <= mostWords) {
      // The last word may reach into what is written next.
      for (let i = 0; i < length; i += 4) this.#view.setInt32(at + i, view.getInt32(start + i, true), true);
    } else this.#bytes.set(bytes.subarray(start, end), at);
    this.at = at + length;
  }

  /** Reserves the length for ASCII, writes, and moves the bytes when UTF-8 needs a longer one. */
  #longText(value: string): void {
    const most = value.length * 3;
    if (this.at + most + 10 > this.#bytes.length) this.#grow(most + 10);
    const start = this.at;
    const guessed = varintBytes(value.length);
    const written = this.#bytes.write(value, start + guessed, 'utf8');
    const needed = varintBytes(written);
    if (needed !== guessed) this.#bytes.copyWithin(start + needed, start + guessed, start + guessed + written);
    this.varint(written);
    this.at = start + needed + written;
  }

  /** UTF-8 bytes filled up with zeros; returns false and writes nothing when they are more than `width`. */
  fixedText(value: string, width: number): boolean {
    const needed = Buffer.byteLength(value);
    if (needed > width) return false;
    if (this.at + width > this.#bytes.length) this.#grow(width);
    this.#bytes.fill(0, this.at + needed, this.at + width);
    this.#bytes.write(value, this.at, 'utf8');
    this.at += width;
    return true;
  }

  zeros(width: number): void {
    if (this.at + width > this.#bytes.length) this.#grow(width);
    this.#bytes.fill(0, this.at, this.at + width);
    this.at += width;
  }

  #grow(by: number): void {
    let capacity = this.#bytes.length * 2;
    while (capacity < this.at + by) capacity *= 2;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#bytes.copy(grown, 0, 0, this.at);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
