import assert from 'node:assert/strict';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { compressFrameSync } from 'lz4-napi';
import { compress as snappy } from 'snappyjs';
import { codecOf, inflate, type Codec } from '../../../connectors/kafka/compression.ts';

const plain = Buffer.from('{"id":1,"note":"a record"}'.repeat(5_000));
const limit = 16 * 2 ** 20;

type Packed = Exclude<Codec, 'none'>;

/** Each form in which a client may write a batch, with the pieces that are compressed by themselves. */
const forms: Readonly<Record<string, readonly [codec: Packed, pack: (pieces: readonly Buffer[]) => Buffer]>> = {
  'gzip members': ['gzip', (pieces) => Buffer.concat(pieces.map((piece) => gzipSync(piece)))],
  'zstd frames': ['zstd', (pieces) => Buffer.concat(pieces.map((piece) => zstdCompressSync(piece)))],
  'zstd frames with skippable ones': [
    'zstd',
    (pieces) => Buffer.concat(pieces.flatMap((piece) => [skippable(0x184d2a53), zstdCompressSync(piece)])),
  ],
  'lz4 frames': ['lz4', (pieces) => Buffer.concat(pieces.map((piece) => compressFrameSync(piece)))],
  'lz4 frames with skippable ones': [
    'lz4',
    (pieces) => Buffer.concat(pieces.flatMap((piece) => [compressFrameSync(piece), skippable(0x184d2a5f)])),
  ],
  'xerial chunks': ['snappy', xerial],
  'xerial streams': ['snappy', (pieces) => Buffer.concat(pieces.map((piece) => xerial([piece])))],
};

function skippable(magic: number): Buffer {
  const frame = Buffer.alloc(8 + 5, 0xee);
  frame.writeUInt32LE(magic, 0);
  frame.writeUInt32LE(5, 4);
  return frame;
}

function xerial(pieces: readonly Buffer[]): Buffer {
  const header = Buffer.from('82534e41505059000000000100000001', 'hex');
  const chunks = pieces.flatMap((piece) => {
    const packed = Buffer.from(snappy(piece));
    const length = Buffer.alloc(4);
    length.writeInt32BE(packed.length);
    return [length, packed];
  });
  return Buffer.concat([header, ...chunks]);
}

describe('kafka compression', () => {
  it('names the codec of a batch by its attributes', () => {
    assert.deepEqual([0, 1, 2, 3, 4].map(codecOf), ['none', 'gzip', 'snappy', 'lz4', 'zstd']);
    assert.equal(codecOf(0x10), 'none');
    assert.equal(codecOf(5), undefined);
  });

  it('inflates raw snappy, as librdkafka writes it', () => {
    assert.ok(plain.equals(inflate('snappy', Buffer.from(snappy(plain)), limit)));
  });

  for (const [what, [codec, pack]] of Object.entries(forms)) {
    it(`Z2: inflates all of several ${what}`, () => {
      const piece = fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 2_000 }),
        fc.nat(200_000).map((length) => Buffer.alloc(length + 1, 'ab')),
      );
      fc.assert(
        fc.property(fc.array(piece, { minLength: 1, maxLength: 4 }), (pieces) => {
          const buffers = pieces.map((bytes) => Buffer.from(bytes));
          assert.ok(Buffer.concat(buffers).equals(inflate(codec, pack(buffers), limit)));
        }),
        { numRuns: 60 },
      );
    });

    it(`Z2: takes nothing of ${what} that are cut off, wherever`, () => {
      const packed = pack([plain, plain.subarray(0, 1_000)]);
      const whole = Buffer.from(inflate(codec, packed, limit));
      for (let cut = 1; cut < packed.length; cut += Math.max(1, Math.floor(packed.length / 97))) {
        try {
          const inflated = Buffer.from(inflate(codec, packed.subarray(0, packed.length - cut), limit));
          // Only at the end of a member: that is a whole shorter batch, and its records are counted elsewhere.
          assert.ok(inflated.length < whole.length || cut <= 13, `${cut} bytes less`);
          assert.ok(whole.subarray(0, inflated.length).equals(inflated));
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
        }
      }
    });

    it(`Z1: refuses ${what} that inflate beyond the limit, all together`, () => {
      const pieces = Array.from({ length: 4 }, () => Buffer.alloc(1_000_000));
      const packed = pack(pieces);
      assert.equal(inflate(codec, packed, 4_000_000).length, 4_000_000);
      assert.throws(() => inflate(codec, packed, 3_999_999), {
        name: 'RangeError',
        message: /more than 3999999 bytes/,
      });
      assert.throws(() => inflate(codec, pack([Buffer.alloc(2_000_000)]), 1_000), /fetch\.maxInflatedBytes/);
    });
  }

  const behind: readonly (readonly [what: string, bytes: Buffer])[] = [
    ['a zero', Buffer.of(0)],
    ['zeros', Buffer.alloc(40)],
    ['a byte', Buffer.of(7)],
    ['text', Buffer.from('something that no codec has written')],
    ['the first bytes of a member', Buffer.of(0x1f, 0x8b)],
  ];
  for (const [form, [codec, pack]] of Object.entries(forms)) {
    for (const [what, bytes] of behind) {
      it(`Z2: refuses ${form} with ${what} behind them, and with more of them behind that`, () => {
        const packed = pack([plain, plain]);
        assert.throws(() => inflate(codec, Buffer.concat([packed, bytes]), limit), RangeError);
        assert.throws(() => inflate(codec, Buffer.concat([packed, bytes, packed]), limit), RangeError);
      });
    }
  }

  it('Z1: takes no memory for a claim that cannot be true', () => {
    const claims200MiB = Buffer.from([0x80, 0x80, 0x80, 0x64, 0x00]);
    assert.throws(() => inflate('snappy', claims200MiB, 2 ** 30), /shorter than it says/);
    assert.throws(() => inflate('snappy', claims200MiB, limit), /more than/);
  });

  for (const [what, bytes] of [
    // The length makes the decoder go back to this very element: it never ended.
    ['a literal of more than 2³¹ bytes', [5, 0xfc, 0xfa, 0xff, 0xff, 0xff, 1, 2, 3]],
    ['a copy from more than 2³¹ bytes before', [8, 0x0c, 1, 2, 3, 4, 0x0f, 0, 0, 0, 0x80]],
    ['less than it claims', [8, 0x0c, 1, 2, 3, 4]],
    ['more than it claims', [3, 0x0c, 1, 2, 3, 4]],
    ['half a copy', [8, 0x0c, 1, 2, 3, 4, 0x01]],
    ['a literal that is cut off', [8, 0x1c, 1, 2, 3]],
  ] as const) {
    it(`Z2: takes nothing of raw snappy with ${what}`, () => {
      assert.throws(() => inflate('snappy', Buffer.from(bytes), limit), RangeError);
    });
  }

  it('Z2: bytes that no codec has written end in a RangeError', () => {
    const codec = fc.constantFrom<Packed>('gzip', 'zstd', 'lz4', 'snappy');
    const mutation = fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255));
    const form = fc.constantFrom(...Object.values(forms));
    fc.assert(
      fc.property(codec, fc.uint8Array({ maxLength: 60 }), (which, bytes) => {
        assertRangeError(() => inflate(which, bytes, limit));
      }),
    );
    fc.assert(
      fc.property(form, fc.array(mutation, { minLength: 1, maxLength: 4 }), ([which, pack], mutations) => {
        const packed = pack([Buffer.from('a record and another record')]);
        for (const [where, byte] of mutations) packed[Math.floor(where * packed.length)] = byte;
        assertRangeError(() => inflate(which, packed, limit));
      }),
      { numRuns: 2_000 },
    );
  });
});

function assertRangeError(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error));
  }
}
