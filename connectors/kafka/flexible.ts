/**
 * Kafka's flexible encoding, used by request versions that kafkajs lacks. Lengths are unsigned varints, stored plus
 * one, with 0 for null; each structure ends with tagged fields, which are skipped.
 */
import { Buffer } from 'node:buffer';
import { BigEndianReader } from './big-endian.ts';

export class FlexibleWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    return this.#put(1, (bytes) => bytes.writeInt8(value));
  }

  int32(value: number): this {
    return this.#put(4, (bytes) => bytes.writeInt32BE(value));
  }

  int64(value: number): this {
    return this.#put(8, (bytes) => bytes.writeBigInt64BE(BigInt(value)));
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  id(id: string): this {
    this.#parts.push(Buffer.from(id, 'base64url'));
    return this;
  }

  text(value: string): this {
    const bytes = Buffer.from(value);
    this.#length(bytes.length);
    this.#parts.push(bytes);
    return this;
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.#length(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** No tagged fields. */
  end(): this {
    return this.int8(0);
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #length(length: number): void {
    let left = length + 1;
    while (left >= 0x80) {
      this.#parts.push(Buffer.of((left & 0x7f) | 0x80));
      left >>>= 7;
    }
    this.#parts.push(Buffer.of(left));
  }

  #put(size: number, write: (bytes: Buffer) => void): this {
    const bytes = Buffer.alloc(size);
    write(bytes);
    this.#parts.push(bytes);
    return this;
  }
}

const idBytes = 16;

export class FlexibleReader extends BigEndianReader {
  /** As Kafka's tools print it; undefined: the topic has none, because it was created before there were ids. */
  id(): string | undefined {
    const bytes = this.slice(idBytes);
    return bytes.every((byte) => byte === 0) ? undefined : bytes.toString('base64url');
  }

  /** Null reads as empty. */
  text(): string {
    return this.slice(this.length()).toString();
  }

  /** Points into the payload. */
  slice(length: number): Buffer {
    this.at += length;
    if (this.at > this.bytes.length) throw new RangeError('an answer ends before what it announces');
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + this.at - length, length);
  }

  /** Null reads as empty. */
  array<T>(read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.length(); left > 0; left--) items.push(read());
    return items;
  }

  /** Null reads as 0. */
  length(): number {
    return Math.max(0, this.#unsigned() - 1);
  }

  /** Skips tagged fields. */
  end(): void {
    for (let left = this.#unsigned(); left > 0; left--) {
      this.#unsigned();
      this.slice(this.#unsigned());
    }
  }

  #unsigned(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.int8() & 0xff;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a length has more than 5 bytes');
  }
}
