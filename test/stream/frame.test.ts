import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { MillraceError } from '../../model/errors.ts';
import { FrameBuilder, type FrameLimits } from '../../stream/frame-builder.ts';
import { decodeFrame, FrameMeta, type Frame } from '../../stream/frame-reader.ts';
import { largestRecord, recordBytes, worstFrameBytes, worstRecordBytes } from '../../stream/frame-size.ts';
import { at, checkOf, codecs, type Codec, type FrameLink } from '../../stream/frame.ts';
import firstVersion from './frames/v1.json' with { type: 'json' };
import { batchOf, type PlainRecord } from './support/batches.ts';

const limits: FrameLimits = { maxRecords: 1_000, maxBytes: 256 * 1024, capBytes: 1024 * 1024 };
const place = { stream: 'test', sequence: 7 };

describe('frame', () => {
  it('F1: gives back every value, key, header, time, partition and offset, and the position', () => {
    fc.assert(
      fc.property(
        fc.array(anyRecord, { maxLength: 60 }).map(atRisingOffsets),
        fc.json(),
        fc.constantFrom<Codec>('none', 'zstd'),
        fc.nat(9),
        anyLink,
        (records, position, codec, partition, link) => {
          const builder = new FrameBuilder(limits, codec);
          const batch = batchOf(records, { partition });
          assert.equal(builder.append(batch, 0, 11), records.length);
          const want: unknown = JSON.parse(position);
          const bytes = builder.finish(JSON.parse(position) as null, 22, link);
          const frame = decodeFrame(bytes, place);
          assert.deepEqual(plain(frame), records.map(normal));
          assert.deepEqual(frame.link, link);
          assert.equal(frame.check, checkOf(bytes));
          assert.equal(JSON.stringify(frame.position), JSON.stringify(want));
          const meta = new FrameMeta(frame, 'orders', 'topic');
          records.forEach((record, index) => {
            assert.equal(meta.at(index).offset, record.offset ?? null);
            assert.equal(meta.partition, partition);
          });
        },
      ),
    );
  });

  it('F1: any damaged or shortened frame is refused as corrupt', () => {
    fc.assert(
      fc.property(
        fc.array(anyRecord, { minLength: 1, maxLength: 20 }),
        fc.constantFrom<Codec>('none', 'zstd'),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (records, codec, where, mask) => {
          const frame = Buffer.from(frameOf(records, codec));
          const cut = frame.subarray(0, where % frame.length);
          frame[where % frame.length]! ^= mask;
          assertCorrupt(frame);
          assertCorrupt(cut);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('F1: damage under a right checksum never crashes, hangs or allocates without bound', () => {
    fc.assert(
      fc.property(
        fc.array(anyRecord, { minLength: 1, maxLength: 20 }),
        fc.constantFrom<Codec>('none', 'zstd'),
        fc.nat(),
        fc.uint8Array({ minLength: 1, maxLength: 8 }),
        (records, codec, where, noise) => {
          const frame = Buffer.from(frameOf(records, codec));
          frame.set(noise.subarray(0, frame.length - 4 - (where % (frame.length - 4))), where % (frame.length - 4));
          frame.writeUInt32LE(crc32(frame.subarray(0, -4)), frame.length - 4);
          try {
            decodeFrame(frame, place);
          } catch (error) {
            assert(error instanceof MillraceError);
            assert.equal(error.code, 'MR_FRAME_CORRUPT');
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('F2: a frame without records carries position and ingest time', () => {
    const frame = decodeFrame(new FrameBuilder(limits).finish({ offset: 5 }, 1234), place);
    assert.equal(frame.count, 0);
    assert.deepEqual(frame.position, { offset: 5 });
    assert.equal(frame.ingestMax, 1234);
  });

  it('F2: a frame of a writer that has not begun has no position', () => {
    assert.equal(decodeFrame(new FrameBuilder(limits).finish(undefined, 1), place).position, undefined);
    assert.equal(decodeFrame(new FrameBuilder(limits).finish(null, 1), place).position, null);
  });

  it('F3: a frame depends on what it holds alone, whatever the buffer held before', () => {
    const link = { plan: 3, predecessor: 17, predecessorCheck: 0xffff_ffff };
    const used = new FrameBuilder(limits);
    used.recycle(Buffer.alloc(512 * 1024, 0xff));
    used.recycle(used.finish(null, 1));
    const frames = [used, new FrameBuilder(limits)].map((builder) => {
      builder.append(batchOf([{ value: 'a' }]), 0, 1);
      return builder.finish(1, 2, link).toString('hex');
    });
    assert.equal(frames[0], frames[1]);
  });

  for (const [what, want] of Object.entries(firstVersion)) {
    it(`F3: a frame of Millrace 0.1 is read and names no plan: ${what}`, () => {
      const frame = decodeFrame(Buffer.from(want.base64, 'base64'), place);
      assert.equal(frame.link, undefined);
      assert.deepEqual(plain(frame), want.records);
      assert.deepEqual(frame.position, want.position);
      assert.deepEqual([frame.ingestMin, frame.ingestMax], want.ingest);
      assert.deepEqual(
        frame.runs.map((run) => [run.records, run.partition, run.firstOffset.toString()]),
        want.runs,
      );
    });
  }

  it('closes before the record that would pass the byte limit, and at the record limit', () => {
    const builder = new FrameBuilder({ maxRecords: 3, maxBytes: 10, capBytes: 10_000 });
    const batch = batchOf([
      { value: 'aaaa' },
      { value: 'bbbb' },
      { value: 'cccc' },
      { value: 'd' },
      { value: 'e' },
      { value: 'f' },
    ]);
    assert.equal(builder.append(batch, 0, 0), 2);
    builder.finish(0, 0);
    assert.equal(builder.append(batch, 2, 0), 5);
    assert(builder.isFull);
  });

  it('Z2: takes one record above the byte limit alone, up to the largest that fits, and none above', () => {
    const builder = new FrameBuilder({ maxRecords: 3, maxBytes: 10, capBytes: 5_000 });
    const most = builder.largestRecord;
    const batch = batchOf([{ value: 'x'.repeat(most - 9), key: 'k'.repeat(9) }, { value: 'y'.repeat(most + 9) }]);
    assert.equal(builder.append(batch, 0, 0), 1);
    assert(builder.finish(0, 0).length <= 5_000);
    assert.equal(builder.append(batch, 1, 0), 1);
  });

  it('Z1: no frame is larger than the cap, whatever its records widen, and every record that fits alone is taken', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyRecord, tinyRecord), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1_300, max: 6_000 }),
        fc.constantFrom<Codec>('none', 'zstd'),
        fc.nat(3_000),
        (records, capBytes, codec, positionLength) => {
          const builder = new FrameBuilder({ maxRecords: Infinity, maxBytes: capBytes, capBytes }, codec);
          const position = 'p'.repeat(positionLength);
          const batch = batchOf(records, { position, positionAfter: () => position });
          for (let next = 0; next < batch.count;) {
            const first = next;
            next = builder.append(batch, first, 0);
            const size = recordBytes(batch, first);
            if (next > first) assert(builder.finish(position, 1).length <= capBytes);
            else assert(size > largestRecord(capBytes, Math.max(1_024, positionLength + 2)));
            if (next === first) next++;
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('Z1: a body that does not become smaller is stored as it is', () => {
    const bytes = Buffer.alloc(50_000);
    let noise = 1;
    for (let at = 0; at < bytes.length; at++) bytes[at] = (noise = (noise * 48_271) % 2_147_483_647) >> 7;
    const builder = new FrameBuilder(limits, 'zstd');
    builder.append({ ...batchOf([{ value: 'x'.repeat(bytes.length) }]), bytes }, 0, 1);
    const frame = builder.finish({ p: 1 }, 2);
    assert.equal(frame.readUInt8(at.codec), codecs.none);
    assert(frame.length <= worstFrameBytes(worstRecordBytes(bytes.length, false), 10));
    assert.deepEqual(Buffer.from(decodeFrame(frame, place).bytes.subarray(0, bytes.length)), bytes);
  });

  it('a recycled buffer does not change a frame that was copied out before', () => {
    const builder = new FrameBuilder(limits);
    const first = frameWith(builder, [{ value: 'first' }]);
    const kept = Buffer.from(first);
    builder.recycle(first);
    frameWith(builder, [{ value: 'second' }]);
    const third = frameWith(builder, [{ value: 'third' }]);
    assert.deepEqual(
      plain(decodeFrame(kept, place)).map((record) => record.value),
      ['first'],
    );
    assert.deepEqual(
      plain(decodeFrame(third, place)).map((record) => record.value),
      ['third'],
    );
  });

  it('joins offsets in a row to one run, across batches too', () => {
    const builder = new FrameBuilder(limits);
    const offsets = (list: number[]) =>
      batchOf(
        list.map((offset) => ({ value: 'v', offset: BigInt(offset) })),
        { partition: 2 },
      );
    for (const batch of [offsets([5, 6, 7]), offsets([8, 9]), offsets([12, 15])]) builder.append(batch, 0, 0);
    assert.deepEqual(decodeFrame(builder.finish(null, 0), place).runs, [
      { records: 5, partition: 2, firstOffset: 5n },
      { records: 1, partition: 2, firstOffset: 12n },
      { records: 1, partition: 2, firstOffset: 15n },
    ]);
  });
});

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant(''));
const anyRecord: fc.Arbitrary<PlainRecord> = fc
  .record({
    value: fc.option(anyText),
    key: fc.option(anyText),
    timestamp: fc.oneof(fc.integer({ min: 1_600_000_000_000, max: 1_600_000_100_000 }), fc.double({ noNaN: true })),
    headers: fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 2 }),
    offset: fc.oneof(fc.bigInt({ min: 0n, max: 3n }), fc.bigInt({ min: 0n, max: 2n ** 50n })),
  })
  .map((record) => record);

/** Offsets rise within a batch: that of a record is taken as its distance from the one before it, less one. */
function atRisingOffsets(records: readonly PlainRecord[]): PlainRecord[] {
  let next = 0n;
  return records.map((record) => {
    const offset = next + (record.offset ?? 0n);
    next = offset + 1n;
    return { ...record, offset };
  });
}

const tinyRecord: fc.Arbitrary<PlainRecord> = fc.constantFrom({ value: '{}' }, { value: null, key: '' });

const anyLink: fc.Arbitrary<FrameLink> = fc
  .tuple(fc.maxSafeNat(), fc.maxSafeNat(), fc.nat(0xffff_ffff))
  .map(([plan, predecessor, predecessorCheck]) => ({ plan, predecessor, predecessorCheck }));

function frameWith(builder: FrameBuilder, records: readonly PlainRecord[]): Buffer {
  const batch = batchOf(records);
  assert.equal(builder.append(batch, 0, 1), batch.count);
  return builder.finish({ p: 1 }, 2);
}

function frameOf(records: readonly PlainRecord[], codec: Codec): Buffer {
  return frameWith(new FrameBuilder(limits, codec), records);
}

function assertCorrupt(bytes: Uint8Array): void {
  assert.throws(
    () => decodeFrame(bytes, place),
    (error) => error instanceof MillraceError && error.code === 'MR_FRAME_CORRUPT',
  );
}

function normal(record: PlainRecord) {
  const text = (value: string | null | undefined) =>
    value === null || value === undefined ? null : Buffer.from(value).toString();
  return { value: text(record.value), key: text(record.key), timestamp: record.timestamp, headers: record.headers };
}

function plain(frame: Frame) {
  const bytes = Buffer.from(frame.bytes);
  return Array.from({ length: frame.count }, (_, index) => ({
    value: frame.valueEnd[index]! < 0 ? null : bytes.toString('utf8', frame.valueStart[index], frame.valueEnd[index]),
    key: frame.keyEnd[index]! < 0 ? null : bytes.toString('utf8', frame.keyStart[index], frame.keyEnd[index]),
    timestamp: frame.timestamps[index],
    headers: frame.headers.get(index) ?? [],
  }));
}
