/** Reads big-endian numbers from a broker's answer, one after another. */
export class BigEndianReader {
  protected readonly bytes: Uint8Array;
  protected at = 0;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  int8(): number {
    this.at += 1;
    return this.#view.getInt8(this.at - 1);
  }

  int16(): number {
    this.at += 2;
    return this.#view.getInt16(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.#view.getInt32(this.at - 4);
  }

  int64(): bigint {
    this.at += 8;
    return this.#view.getBigInt64(this.at - 8);
  }
}
