/**
 * The compression codecs of Kafka's record batches.
 *
 * Z1  A batch never expands beyond {@link maxInflatedBytes}: a small batch cannot take the memory of the pod.
 *
 * Kafka's Java client writes snappy in xerial's framing and lz4 in LZ4 frame format; librdkafka writes snappy raw.
 */
import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { decompressFrameSync } from 'lz4-napi';
import { uncompress as inflateSnappy } from 'snappyjs';

export const maxInflatedBytes = 256 * 2 ** 20;

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** The codec in a batch's attributes, or undefined when the bits name none. */
export function codecOf(attributes: number): Codec | undefined {
  return codecs[attributes & 0x07];
}

export function inflate(codec: Exclude<Codec, 'none'>, packed: Uint8Array): Uint8Array {
  switch (codec) {
    case 'gzip':
      return gunzipSync(packed, { maxOutputLength: maxInflatedBytes });
    case 'zstd':
      return zstdDecompressSync(packed, {
        maxOutputLength: maxInflatedBytes,
        params: { [constants.ZSTD_d_windowLogMax]: 27 },
      });
    case 'lz4':
      return decompressFrameSync(Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength));
    case 'snappy':
      return isXerial(packed) ? inflateXerial(packed) : inflateRawSnappy(packed);
  }
}

const xerialMagic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00];
/** Magic, version, lowest compatible version. */
const xerialHeaderBytes = 16;

function isXerial(packed: Uint8Array): boolean {
  return packed.length >= xerialHeaderBytes && xerialMagic.every((byte, at) => packed[at] === byte);
}

function inflateXerial(packed: Uint8Array): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const chunks: Uint8Array[] = [];
  let total = 0;
  let at = xerialHeaderBytes;
  while (at + 4 <= packed.length) {
    const length = view.getInt32(at);
    at += 4;
    if (length < 0 || at + length > packed.length) throw new RangeError('a snappy chunk ends after its batch');
    const chunk = inflateRawSnappy(packed.subarray(at, at + length));
    total += chunk.length;
    if (total > maxInflatedBytes) throw new RangeError(`the batch has more than ${maxInflatedBytes} bytes`);
    chunks.push(chunk);
    at += length;
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, total);
}

function inflateRawSnappy(packed: Uint8Array): Uint8Array {
  return inflateSnappy(packed, maxInflatedBytes);
}
