import assert from 'node:assert/strict';
import fc from 'fast-check';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import decodeMessages from 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js';
import { offsetAfter } from '../../../connectors/kafka/batch-header.ts';
import {
  controlBatch,
  decodeAll,
  encodeBatch,
  withAttributes,
  type DecodedRecord,
  type PlainRecord,
} from './batches.ts';

const record: fc.Arbitrary<PlainRecord> = fc.record({
  time: fc.integer({ min: -10_000_000, max: 2 ** 40 }),
  key: fc.option(fc.string({ maxLength: 200 })),
  value: fc.option(fc.oneof(fc.string({ maxLength: 40 }), fc.string({ minLength: 100, maxLength: 20_000 }))),
  headers: fc.dictionary(
    fc.string({ maxLength: 10 }).map((name) => `h${name}`),
    fc.string({ maxLength: 10 }),
    {
      maxKeys: 3,
      noNullPrototype: true,
    },
  ),
});

const batches = fc.array(
  fc.record({
    records: fc.array(record, { minLength: 1, maxLength: 20 }),
    gzip: fc.boolean(),
    gap: fc.integer({ min: 0, max: 2 ** 33 }),
  }),
  { minLength: 1, maxLength: 6 },
);

/** In the header of a batch: how many records it has. */
const countAt = 57;

async function encodeAll(list: readonly { records: readonly PlainRecord[]; gzip: boolean; gap: number }[]) {
  let offset = 0;
  const parts: Buffer[] = [];
  for (const { records, gzip, gap } of list) {
    offset += gap;
    parts.push(await encodeBatch({ offset, records, gzip, firstTimestamp: 1_700_000_000_000 }));
    offset += records.length;
  }
  return { bytes: Buffer.concat(parts), end: offset };
}

/** The same, by the decoder of kafkajs. */
async function byKafkajs(bytes: Buffer): Promise<DecodedRecord[]> {
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  const messages = await decodeMessages(new Decoder(Buffer.concat([size, bytes])));
  return messages.map(({ offset, timestamp, key, value, headers }) => ({
    offset: Number(offset),
    time: Number(timestamp),
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers: Object.entries(headers).flatMap(([name, values]) =>
      [values].flat().map((each) => [name, each.toString()] as const),
    ),
  }));
}

describe('kafka record set', () => {
  it('decodes what the decoder of kafkajs decodes', async () => {
    await fc.assert(
      fc.asyncProperty(batches, async (list) => {
        const { bytes, end } = await encodeAll(list);
        const ours = decodeAll(bytes);
        assert.deepEqual(ours.records, await byKafkajs(bytes));
        assert.equal(ours.position, end);
        assert.equal(offsetAfter(bytes, 0), end);
      }),
      { numRuns: 150 },
    );
  });

  it('D4: a batch with more records than it counts is refused, and one with fewer, plain and compressed', async () => {
    for (const gzip of [false, true]) {
      for (const counted of [0, 1, 3]) {
        const bytes = await encodeBatch({ offset: 0, gzip, records: [{ value: 'a' }, { value: 'b' }] });
        bytes.writeInt32BE(counted, countAt);
        assert.throws(() => decodeAll(bytes), RangeError, `${counted}`);
      }
    }
  });

  it('D1: leaves out records before the asked offset, in plain and in compressed batches', async () => {
    for (const gzip of [false, true]) {
      const bytes = await encodeBatch({ offset: 10, gzip, records: [{ value: 'a' }, { value: 'b' }, { value: 'c' }] });
      const { records, position } = decodeAll(bytes, 11);
      assert.deepEqual(
        records.map(({ offset, value }) => [offset, value]),
        [
          [11, 'b'],
          [12, 'c'],
        ],
      );
      assert.equal(position, 13);
    }
  });

  it('D1: leaves out control batches and moves past them', async () => {
    const data = await encodeBatch({ offset: 0, producerId: 7, transactional: true, records: [{ value: 'kept' }] });
    const { records, position } = decodeAll(Buffer.concat([data, await controlBatch(1, 7, 'commit')]));
    assert.deepEqual(
      records.map(({ value }) => value),
      ['kept'],
    );
    assert.equal(position, 2);
  });

  it('D1: leaves out an aborted transaction and keeps what other producers wrote meanwhile', async () => {
    const of = (offset: number, producerId: number, value: string, transactional = true) =>
      encodeBatch({ offset, producerId, transactional, records: [{ value }] });
    const bytes = Buffer.concat([
      await of(0, 1, 'aborted'),
      await of(1, 2, 'committed'),
      await of(2, 3, 'idempotent', false),
      await of(3, 1, 'aborted too'),
      await controlBatch(4, 1, 'abort'),
      await of(5, 1, 'after'),
      await controlBatch(6, 2, 'commit'),
      await controlBatch(7, 1, 'commit'),
    ]);
    const { records, position } = decodeAll(bytes, 0, [{ producerId: 1n, firstOffset: 0 }]);
    assert.deepEqual(
      records.map(({ value }) => value),
      ['committed', 'idempotent', 'after'],
    );
    assert.equal(position, 8);
  });

  it('D1: knows two aborted transactions of one producer apart', async () => {
    const of = (offset: number, value: string) =>
      encodeBatch({ offset, producerId: 1, transactional: true, records: [{ value }] });
    const bytes = Buffer.concat([
      await of(0, 'x'),
      await controlBatch(1, 1, 'abort'),
      await of(2, 'kept'),
      await controlBatch(3, 1, 'commit'),
      await of(4, 'y'),
      await controlBatch(5, 1, 'abort'),
    ]);
    const aborted = [
      { producerId: 1n, firstOffset: 4 },
      { producerId: 1n, firstOffset: 0 },
    ];
    assert.deepEqual(
      decodeAll(bytes, 0, aborted).records.map(({ value }) => value),
      ['kept'],
    );
  });

  it('D2: moves past records that compaction took from the end of a batch', async () => {
    const bytes = await encodeBatch({ offset: 5, lastDelta: 9, records: [{ value: 'left' }] });
    assert.equal(decodeAll(bytes, 5).position, 15);
  });

  it('D2: moves past a batch whose records are all gone', async () => {
    const empty = await encodeBatch({ offset: 5, lastDelta: 9, records: [] });
    const { records, position } = decodeAll(empty, 5);
    assert.deepEqual(records, []);
    assert.equal(position, 15);
  });

  it('D3: leaves a batch that is cut at any byte for the next fetch', async () => {
    const whole = await encodeBatch({ offset: 0, records: [{ value: 'whole' }] });
    const next = await encodeBatch({ offset: 1, records: [{ value: 'cut' }, { value: 'too' }] });
    for (let cut = 0; cut < next.length; cut++) {
      const { records, position } = decodeAll(Buffer.concat([whole, next.subarray(0, cut)]));
      assert.deepEqual(
        records.map(({ value }) => value),
        ['whole'],
        `cut at ${cut}`,
      );
      assert.equal(position, 1);
    }
  });

  it('D4: says which message format it does not read', async () => {
    const old = await encodeBatch({ offset: 0, records: [{ value: 'x' }] });
    old.writeInt8(1, 16);
    assert.throws(() => decodeAll(old), /message format v1/);
  });

  it('D4: never points outside of its buffer, whatever the bytes are', async () => {
    const { bytes } = await encodeAll([
      {
        gap: 0,
        gzip: false,
        records: Array.from({ length: 30 }, (_, i) => ({ key: `k${i}`, value: 'v'.repeat(i), headers: { a: 'b' } })),
      },
    ]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const broken = Buffer.from(bytes);
          for (const [at, byte] of changes) broken[at] = byte;
          try {
            decodeAll(broken); // throws a plain Error if a table points outside
          } catch (error) {
            const isExpected =
              error instanceof RangeError || (error instanceof Error && 'code' in error) || isCodecError(error);
            assert.ok(isExpected, String(error));
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('takes the broker’s time for all records of a batch when the topic says so', async () => {
    const bytes = withAttributes(await encodeBatch({ offset: 0, records: [{ value: 'a', time: 5 }] }), 0x08);
    assert.equal(decodeAll(bytes).records[0]?.time, 9_000);
  });

  it('keeps repeated headers in order', async () => {
    const some = await encodeBatch({
      offset: 0,
      records: [{ value: 'a' }, { value: 'b', headers: { h: ['1', '2'] } }],
    });
    assert.deepEqual(decodeAll(some).records[1]?.headers, [
      ['h', '1'],
      ['h', '2'],
    ]);
  });

  it('keeps the bytes of headers that are not UTF-8', async () => {
    const headers = { h: Buffer.of(0x61, 0xff), t: 'é' };
    const bytes = await encodeBatch({ offset: 0, records: [{ value: 'a', headers }] });
    assert.deepEqual(decodeAll(bytes).records[0]?.headers, [
      ['h', 'a\udcff'],
      ['t', 'é'],
    ]);
  });
});

function isCodecError(error: unknown): boolean {
  return error instanceof Error && /snappy|lz4|frame/i.test(error.message);
}
