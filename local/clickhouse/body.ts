/** Bodies of requests and answers, in and out of the encodings that HTTP names. */
import type { IncomingMessage } from 'node:http';
import { pipeline, type Transform } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { exception } from './exceptions.ts';

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: zlib.createGunzip,
  'x-gzip': zlib.createGunzip,
  deflate: zlib.createInflate,
  br: zlib.createBrotliDecompress,
  zstd: zlib.createZstdDecompress,
};

const encoders: Readonly<Record<string, (bytes: Uint8Array) => Promise<Buffer>>> = {
  zstd: promisify<Uint8Array, Buffer>(zlib.zstdCompress),
  gzip: promisify<Uint8Array, Buffer>(zlib.gzip),
  deflate: promisify<Uint8Array, Buffer>(zlib.deflate),
  br: promisify<Uint8Array, Buffer>(zlib.brotliCompress),
};

/** The body, decoded; it ends with an error when the client disconnects or sends what does not decode. */
export function decodedBody(request: IncomingMessage): AsyncIterable<Uint8Array> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return request;
  const decoder = decoders[encoding];
  if (decoder === undefined) {
    throw exception(48, 'NOT_IMPLEMENTED', `Unknown compression method: ${encoding}`);
  }
  // The error reaches the code that iterates over the decoder, so there is nothing to do with it here.
  return pipeline(request, decoder(), () => undefined);
}

export interface Encoded {
  readonly bytes: Uint8Array;
  readonly encoding: string | null;
}

export async function encodedAnswer(bytes: Uint8Array, accepted: string | undefined): Promise<Encoded> {
  const names = (accepted ?? '').split(',').map((part) => part.split(';')[0]?.trim() ?? '');
  for (const name of names) {
    const encode = encoders[name];
    if (encode) return { bytes: await encode(bytes), encoding: name };
  }
  return { bytes, encoding: null };
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
