/** Reads Kafka's zigzag varints from bytes, in order. Reading past the end gives values that callers check. */
export class VarintReader {
  bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** 32-bit. One and two bytes are nearly all there are: lengths up to 8,191 and small deltas. */
  int(): number {
    const bytes = this.bytes;
    const first = bytes[this.at++]!;
    if (first < 0x80) return (first >>> 1) ^ -(first & 1);
    const second = bytes[this.at++]!;
    if (second < 0x80) {
      const two = (first & 0x7f) | (second << 7);
      return (two >>> 1) ^ -(two & 1);
    }
    return this.#longInt((first & 0x7f) | ((second & 0x7f) << 7));
  }

  #longInt(low: number): number {
    let raw = low;
    for (let shift = 14; shift < 35; shift += 7) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RangeError('a number ends after its batch');
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
    throw new RangeError('a 32-bit number has more than 5 bytes');
  }

  /** 64-bit, as a double: exact up to 2^53. */
  long(): number {
    const first = this.bytes[this.at]!;
    if (first < 0x80) {
      this.at++;
      return (first >>> 1) ^ -(first & 1);
    }
    let raw = 0;
    let factor = 1;
    for (let size = 0; size < 10; size++) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RangeError('a number ends after its batch');
      raw += (byte & 0x7f) * factor;
      if (byte < 0x80) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
      factor *= 128;
    }
    throw new RangeError('a 64-bit number has more than 10 bytes');
  }
}
