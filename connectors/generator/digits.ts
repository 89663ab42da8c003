/** Writes numbers as ASCII without creating strings. Each function returns the index after the last byte written. */

const zero = 0x30;
const chunk = 1_000_000_000;

export function writeInteger(out: Uint8Array, at: number, value: number): number {
  if (value < 0) {
    out[at] = 0x2d;
    return writeNatural(out, at + 1, -value);
  }
  return writeNatural(out, at, value);
}

function writeNatural(out: Uint8Array, at: number, value: number): number {
  if (value < chunk) return writePadded(out, at, value, digitsOf(value));
  const high = Math.floor(value / chunk);
  return writePadded(out, writeNatural(out, at, high), value - high * chunk, 9);
}

/** Exactly `digits` digits, with leading zeros. `value` is below 10^9. */
export function writePadded(out: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value | 0;
  for (let place = at + digits - 1; place >= at; place--) {
    const next = (rest / 10) | 0;
    out[place] = zero + rest - next * 10;
    rest = next;
  }
  return at + digits;
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  return digits;
}

export function writeBytes(out: Uint8Array, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) out[at + i] = bytes[i]!;
  return at + bytes.length;
}
