/**
 * Random numbers that are a function of seed, stream and index. There is no state, so any record can be generated
 * again by itself.
 */

/** The finalizer of MurmurHash3: every input bit changes about half of the output bits. */
export function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const golden = 0x9e3779b9;

/** Numbers of one stream, by index. */
export class IndexedRandom {
  readonly #seed: number;
  #high = -1;
  #base = 0;

  constructor(seed: number, stream: number) {
    this.#seed = mix(mix(seed) + Math.imul(stream + 1, golden));
  }

  /** 32 bits. */
  bits(index: number): number {
    const high = Math.floor(index / 0x1_0000_0000);
    if (high !== this.#high) {
      this.#high = high;
      this.#base = mix(this.#seed + Math.imul(high, golden));
    }
    return mix(this.#base ^ Math.imul(index | 0, golden));
  }

  /** From 0 to below 1, with 53 bits. */
  unit(index: number): number {
    const low = this.bits(index);
    return (low + (mix(low ^ this.#seed) >>> 11) / 0x20_0000) / 0x1_0000_0000;
  }
}
