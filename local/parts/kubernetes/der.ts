/**
 * The part of DER (X.690) that an X.509 certificate needs: encode only.
 *
 * Node signs and exports keys but cannot create certificates, and a laptop may have no openssl.
 */
export function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), length(body.length), body]);
}

export const sequence = (...content: readonly Buffer[]) => der(0x30, ...content);
export const set = (...content: readonly Buffer[]) => der(0x31, ...content);
export const octets = (bytes: Buffer) => der(0x04, bytes);
export const boolean = (value: boolean) => der(0x01, Buffer.from([value ? 0xff : 0]));
export const text = (value: string) => der(0x0c, Buffer.from(value, 'utf8'));

/** `[n]` around complete values. */
export const explicit = (n: number, ...content: readonly Buffer[]) => der(0xa0 + n, ...content);

/** `[n]` in place of a primitive value's own tag. */
export const implicit = (n: number, bytes: Buffer) => der(0x80 + n, bytes);

/** A non-negative integer, big-endian. */
export function integer(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes.readUInt8(start) === 0) start += 1;
  const digits = bytes.subarray(start);
  const isNegativeLooking = digits.length > 0 && digits.readUInt8(0) >= 0x80;
  return der(0x02, isNegativeLooking ? Buffer.concat([Buffer.from([0]), digits]) : digits);
}

export function bits(bytes: Buffer, unusedBits = 0): Buffer {
  return der(0x03, Buffer.from([unusedBits]), bytes);
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** Times until 2049 must be UTCTime, later ones GeneralizedTime (RFC 5280, 4.1.2.5). */
export function time(at: Date): Buffer {
  const digits = at.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return at.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(digits.slice(2), 'ascii'))
    : der(0x18, Buffer.from(digits, 'ascii'));
}

export function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function length(n: number): Buffer {
  if (n < 0x80) return Buffer.from([n]);
  const bytes: number[] = [];
  for (let rest = n; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 + bytes.length, ...bytes]);
}

function base128(n: number): number[] {
  const bytes = [n % 128];
  for (let rest = Math.floor(n / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(128 + (rest % 128));
  return bytes;
}
