/**
 * Makes record i as JSON bytes.
 *
 * M1  The bytes are a function of fields, seed and i: generating record i again gives the same bytes.
 */
import { writeBytes } from './digits.ts';
import { fieldWriter, type FieldWriter } from './field-writers.ts';
import { IndexedRandom } from './random.ts';
import type { GeneratorField } from './spec.ts';

export class RecordMaker {
  /** Upper bound of the length of a record. */
  readonly maxBytes: number;
  /** `{"id":`, then `,"at":` and so on: the text before each value. */
  readonly #names: readonly Uint8Array[];
  readonly #writers: readonly FieldWriter[];

  constructor(fields: readonly GeneratorField[], seed: number) {
    const encoder = new TextEncoder();
    this.#names = fields.map(({ name }, i) => encoder.encode(`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`));
    this.#writers = fields.map((field, i) => fieldWriter(field, new IndexedRandom(seed, i)));
    const names = this.#names.reduce((sum, { length }) => sum + length, 0);
    this.maxBytes = this.#writers.reduce((sum, { maxBytes }) => sum + maxBytes, names + 1);
  }

  /** Returns the index after the record; needs up to {@link maxBytes} bytes. */
  write(out: Uint8Array, at: number, index: number): number {
    const names = this.#names;
    const writers = this.#writers;
    let end = at;
    for (let i = 0; i < writers.length; i++) {
      end = writers[i]!.write(out, writeBytes(out, end, names[i]!), index);
    }
    out[end] = 0x7d;
    return end + 1;
  }
}
