/**
 * Bodies with a Content-Encoding: inflated off the event loop, and never beyond a limit.
 *
 * Z1  A body is inflated as a whole, however many frames or members it consists of, or not at all. Node's decoders stop
 *     after the end of a deflate stream, and at a zero after a member of gzip, without reporting the rest.
 */
import { promisify } from 'node:util';
import {
  createGunzip,
  createInflate,
  createInflateRaw,
  zstdDecompress,
  type Gunzip,
  type Inflate,
  type InflateRaw,
} from 'node:zlib';
import { zstdFrames } from '../zstd-frames.ts';

export const encodings = ['gzip', 'deflate', 'zstd'] as const;
export type Encoding = (typeof encodings)[number];

/** The encoding that a header names; undefined for none; null for an unsupported one. */
export function encodingOf(header: string | undefined): Encoding | undefined | null {
  const name = header?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '') return undefined;
  return encodings.find((known) => known === name || `x-${known}` === name) ?? null;
}

/** The body would be larger than the limit. */
export class InflatedTooLarge extends Error {}

/** Throws {@link InflatedTooLarge}, or the decoder's error for bytes that are not in this encoding. */
export async function inflateBody(body: Uint8Array, encoding: Encoding, maxBytes: number): Promise<Uint8Array> {
  try {
    return await inflaters[encoding](body, maxBytes);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new InflatedTooLarge(undefined, { cause: error });
    }
    throw error;
  }
}

const inflaters: Readonly<Record<Encoding, (body: Uint8Array, maxBytes: number) => Promise<Uint8Array>>> = {
  gzip: (body, maxBytes) => inflateAll(createGunzip({ chunkSize }), body, maxBytes),
  // The name `deflate` means zlib's format; some clients send the raw format that zlib wraps.
  deflate: (body, maxBytes) =>
    inflateAll(hasZlibHeader(body) ? createInflate({ chunkSize }) : createInflateRaw({ chunkSize }), body, maxBytes),
  zstd: inflateZstd,
};

/** Each chunk is a trip to another thread. */
const chunkSize = 64 * 1_024;

/** Z1: RFC 9110 knows one stream of deflate in a body, so a second one is refused as any other bytes after its end are. */
async function inflateAll(
  decoder: Gunzip | Inflate | InflateRaw,
  body: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  decoder.end(body);
  const inflated: AsyncIterable<Uint8Array> = decoder;
  for await (const part of inflated) {
    length += part.length;
    if (length > maxBytes) throw new InflatedTooLarge();
    parts.push(part);
  }
  const rest = body.length - decoder.bytesWritten;
  if (rest > 0) throw new RangeError(`${rest} bytes follow its end`);
  return Buffer.concat(parts, length);
}

function hasZlibHeader(body: Uint8Array): boolean {
  const [first = 0, second = 0] = body;
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
}

async function inflateZstd(body: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let left = maxBytes;
  for (const frame of zstdFrames(body)) {
    // In turn: what is left of the limit is known only after the previous one.
    const part = await promisify(zstdDecompress)(frame, { maxOutputLength: Math.max(1, left) });
    left -= part.length;
    if (left < 0) throw new InflatedTooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}
