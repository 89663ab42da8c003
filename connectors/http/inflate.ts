/**
 * Bodies with a Content-Encoding: inflated off the event loop, and never beyond a limit.
 *
 * Z1  A body is inflated as a whole, however many frames or members it consists of, or not at all.
 */
import { promisify } from 'node:util';
import { gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib';
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
  gzip: (body, maxOutputLength) => promisify(gunzip)(body, { maxOutputLength }),
  // The name `deflate` means zlib's format; some clients send the raw format that zlib wraps.
  deflate: (body, maxOutputLength) => promisify(hasZlibHeader(body) ? inflate : inflateRaw)(body, { maxOutputLength }),
  zstd: inflateZstd,
};

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
