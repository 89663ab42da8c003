declare module 'snappyjs' {
  /** Raw snappy. Throws when the result would be longer than `maxLength`. */
  export function uncompress(packed: Uint8Array, maxLength?: number): Uint8Array;
  export function compress(plain: Uint8Array): Uint8Array;
}
