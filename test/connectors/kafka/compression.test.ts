import assert from 'node:assert/strict';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { compressFrameSync } from 'lz4-napi';
import { compress as snappy } from 'snappyjs';
import { codecOf, inflate } from '../../../connectors/kafka/compression.ts';

const plain = Buffer.from('{"id":1,"note":"a record"}'.repeat(5_000));

describe('kafka compression', () => {
  it('names the codec of a batch by its attributes', () => {
    assert.deepEqual([0, 1, 2, 3, 4].map(codecOf), ['none', 'gzip', 'snappy', 'lz4', 'zstd']);
    assert.equal(codecOf(0x10), 'none');
    assert.equal(codecOf(5), undefined);
  });

  it('inflates gzip, zstd, lz4 frames and raw snappy', () => {
    assert.ok(plain.equals(inflate('gzip', gzipSync(plain))));
    assert.ok(plain.equals(inflate('zstd', zstdCompressSync(plain))));
    assert.ok(plain.equals(inflate('lz4', compressFrameSync(plain))));
    assert.ok(plain.equals(inflate('snappy', snappy(plain))));
  });

  it('inflates snappy in the framing of the Java client, chunk by chunk', () => {
    const header = Buffer.from('82534e41505059000000000100000001', 'hex');
    const chunks = [plain.subarray(0, 32_768), plain.subarray(32_768)].flatMap((chunk) => {
      const packed = Buffer.from(snappy(chunk));
      const length = Buffer.alloc(4);
      length.writeInt32BE(packed.length);
      return [length, packed];
    });
    assert.ok(plain.equals(inflate('snappy', Buffer.concat([header, ...chunks]))));
  });

  it('Z1: refuses a batch that says it is larger than the limit', () => {
    const bomb = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07, 0x00]);
    assert.throws(() => inflate('snappy', bomb), /too big/);
  });
});
