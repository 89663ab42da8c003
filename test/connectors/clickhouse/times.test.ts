import { deepEqual, equal, throws } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import fc from 'fast-check';
import { ByteWriter } from '../../../connectors/clickhouse/byte-writer.ts';
import { compileEncoder } from '../../../connectors/clickhouse/encoders.ts';
import { startClickHouse, type ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { freePort } from '../../../local/ports.ts';
import { encodeJson, ExactNumber, type RecordValue } from '../../../model/value.ts';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import { batch, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';

const misfit = Symbol('misfit');
type Wanted = string | typeof misfit;

const exact = (text: string) => new ExactNumber(text);

/** Each type with what it takes in each form: the text that ClickHouse shows, or a misfit. */
const table: readonly [type: string, cells: readonly (readonly [RecordValue, Wanted])[]][] = [
  [
    'Date',
    [
      ['1970-01-01', '1970-01-01'],
      ['2149-06-06', '2149-06-06'],
      ['2149-06-07', misfit],
      ['1969-12-31', misfit],
      ['2026-02-29', misfit],
      ['2024-02-29', '2024-02-29'],
      ['2026-01-31T00:00:00Z', misfit],
      ['20260131', misfit],
      ['', misfit],
      [0, '1970-01-01'],
      [65_535, '2149-06-06'],
      [65_536, misfit],
      [-1, misfit],
      [1.5, misfit],
      [20_260_131, misfit],
      [1_769_817_600_000, misfit],
      [7n, '1970-01-08'],
      [exact('7.0'), '1970-01-08'],
      [exact('1e400'), misfit],
      [true, misfit],
    ],
  ],
  [
    'Date32',
    [
      ['1900-01-01', '1900-01-01'],
      ['2299-12-31', '2299-12-31'],
      ['1899-12-31', misfit],
      ['2300-01-01', misfit],
      ['0000-01-01', misfit],
      [-25_567, '1900-01-01'],
      [-25_568, misfit],
      [120_529, '2299-12-31'],
      [120_530, misfit],
      [20_260_131, misfit],
      [exact('9007199254740993'), misfit],
    ],
  ],
  [
    "DateTime('UTC')",
    [
      ['1970-01-01T00:00:00Z', '1970-01-01 00:00:00'],
      ['2106-02-07T06:28:15Z', '2106-02-07 06:28:15'],
      ['2106-02-07T06:28:16Z', misfit],
      ['1969-12-31T23:59:59Z', misfit],
      ['1970-01-01T00:30:00+01:00', misfit],
      ['1969-12-31T23:30:00-01:00', '1970-01-01 00:30:00'],
      ['2026-01-31T12:34:56.999999999999Z', '2026-01-31 12:34:56'],
      ['2016-12-31T23:59:60Z', misfit],
      ['2026-01-31T24:00:00Z', misfit],
      ['2026-01-31T12:34', '2026-01-31 12:34:00'],
      ['2026-01-31T12:34:56 Europe/Berlin', misfit],
      ['now', misfit],
      [0, '1970-01-01 00:00:00'],
      [4_294_967_295, '2106-02-07 06:28:15'],
      [4_294_967_296, misfit],
      [-1, misfit],
      [1_700_000_000.5, misfit],
      [1_700_000_000_123, misfit],
      [5n, '1970-01-01 00:00:05'],
      [exact('18446744073709551616'), misfit],
      [false, misfit],
    ],
  ],
  [
    "DateTime64(3, 'UTC')",
    [
      ['1900-01-01T00:00:00Z', '1900-01-01 00:00:00.000'],
      ['1899-12-31T23:59:59.999Z', misfit],
      ['2299-12-31T23:59:59.999Z', '2299-12-31 23:59:59.999'],
      ['2300-01-01T00:00:00Z', misfit],
      ['1969-12-31T23:59:59.9Z', '1969-12-31 23:59:59.900'],
      ['2026-01-31T12:34:56.7891Z', '2026-01-31 12:34:56.789'],
      [1_659_386_157_403, '2022-08-01 20:35:57.403'],
      [1_659_386_157_403_862, misfit],
      [1.659386157403862e18, misfit],
      [-2_208_988_800_000, '1900-01-01 00:00:00.000'],
      [-2_208_988_800_001, misfit],
      [10_413_791_999_999, '2299-12-31 23:59:59.999'],
      [10_413_792_000_000, misfit],
      [-1, '1969-12-31 23:59:59.999'],
      [1_659_386_157.403, misfit],
      [1_659_386_157_403_862n, misfit],
      [exact('1659386157403862000'), misfit],
      [exact('-1e400'), misfit],
    ],
  ],
  [
    "DateTime64(0, 'UTC')",
    [
      [10_413_791_999, '2299-12-31 23:59:59'],
      [10_413_792_000, misfit],
      [1_659_386_157_403, misfit],
    ],
  ],
  [
    "DateTime64(6, 'UTC')",
    [
      [1_659_386_157_403_862, '2022-08-01 20:35:57.403862'],
      [1.0413792e16, misfit],
      [exact('10413791999999999'), '2299-12-31 23:59:59.999999'],
      [exact('10413792000000000'), misfit],
    ],
  ],
  [
    "DateTime64(9, 'UTC')",
    [
      ['2262-04-11T23:47:16.854775807Z', '2262-04-11 23:47:16.854775807'],
      ['2262-04-11T23:47:16.854775808Z', misfit],
      ['1900-01-01T00:00:00Z', '1900-01-01 00:00:00.000000000'],
      ['1899-12-31T23:59:59.999999999Z', misfit],
      [exact('9223372036854775807'), '2262-04-11 23:47:16.854775807'],
      [exact('9223372036854775808'), misfit],
      [exact('-2208988800000000000'), '1900-01-01 00:00:00.000000000'],
      [exact('-2208988800000000001'), misfit],
      [1_700_000_000_123_456_800, '2023-11-14 22:13:20.123456800'],
    ],
  ],
  [
    'Time',
    [
      ['12:34:56', '12:34:56'],
      ['-0:00:01', '-00:00:01'],
      ['999:59:59', '999:59:59'],
      ['1000:00:00', misfit],
      ['12:60', misfit],
      ['12:34:56.7', '12:34:56'],
      [3_599_999, '999:59:59'],
      [3_600_000, misfit],
      [-3_600_000, misfit],
      [1.5, misfit],
    ],
  ],
  [
    'Time64(3)',
    [
      ['-12:34:56.7899', '-12:34:56.789'],
      ['0:00:00.5', '00:00:00.500'],
      [-500, '-00:00:00.500'],
      [3_599_999_999, '999:59:59.999'],
      [3_600_000_000, misfit],
      [exact('-3600000000.0'), misfit],
    ],
  ],
];

describe('ClickHouse dates and times', function () {
  let dir: string;
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-times-'));
    clickhouse = await startClickHouse({ dir, port: await freePort() });
    client = createClient({ url: clickhouse.url });
  });

  after(async () => {
    await client.close();
    await clickhouse.stop();
    await rm(dir, { recursive: true });
  });

  for (const [index, [type, cells]] of table.entries()) {
    it(`D1: ${type} stores what it holds`, async () => {
      const name = `times_${index}`;
      const settings = 'ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 1000';
      const query = `CREATE TABLE ${name} (n UInt32, v ${type}) ${settings}`;
      await client.command({ query, clickhouse_settings: { enable_time_time64_type: 1 } });
      const connected = await sink.connect(
        clickhouseSinkSpec.parse({ url: clickhouse.url, table: name }),
        sinkContext(),
      );
      const slot = await connected.open(slotId);
      const stored = cells.filter(([, wanted]) => wanted !== misfit);
      const records = stored.map(([v], n) => ({ n, v }));
      deepEqual(await write(slot, rowsOf(slot, records), batch(0, 1)), []);
      await connected.close();
      const answer = await client.query({
        query: `SELECT toString(v) FROM ${name} ORDER BY n`,
        format: 'JSONCompactEachRow',
      });
      deepEqual(
        (await answer.json<[string]>()).map(([text]) => text),
        stored.map(([, wanted]) => wanted),
      );
    });

    for (const [value] of cells.filter(([, wanted]) => wanted === misfit)) {
      it(`D1: ${type} does not take ${typeof value} ${encodeJson(value)}`, () => {
        throws(() => compileEncoder(type)!.write(value, new ByteWriter()), { name: 'Misfit' });
      });
    }
  }

  it('D1: any instant is stored as it is, or a misfit when it is out of range, in whatever form it comes', () => {
    const scales = fc.constantFrom(0, 3, 6, 9);
    const form = fc.constantFrom('number', 'bigint', 'exact', 'text');
    const nanos = fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n });
    fc.assert(
      fc.property(scales, form, nanos, (scale, as, instant) => {
        const unit = 10n ** BigInt(9 - scale);
        const ticks = floorDivide(instant, unit);
        const value = inForm(as, ticks, instant);
        if (value === undefined) return;
        const isHeld =
          ticks >= -2_208_988_800n * 10n ** BigInt(scale) &&
          ticks < 10_413_792_000n * 10n ** BigInt(scale) &&
          ticks < 2n ** 63n;
        equal(writtenTicks(`DateTime64(${scale})`, value), isHeld ? ticks : undefined);
      }),
      { numRuns: 5_000 },
    );
  });
});

function inForm(form: string, ticks: bigint, instant: bigint): RecordValue | undefined {
  switch (form) {
    case 'number':
      // A double stands for its shortest text (J1), which of a long integer may be another one.
      return BigInt(String(Number(ticks))) === ticks ? Number(ticks) : undefined;
    case 'bigint':
      return ticks;
    case 'exact':
      return new ExactNumber(`${ticks}.0`);
    default: {
      const seconds = floorDivide(instant, 10n ** 9n);
      const date = new Date(Number(seconds) * 1000);
      if (!(date.getUTCFullYear() >= 0 && date.getUTCFullYear() <= 9999)) return undefined;
      const fraction = (instant - seconds * 10n ** 9n).toString().padStart(9, '0');
      return `${date.toISOString().slice(0, 19)}.${fraction}Z`;
    }
  }
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return quotient * by > value ? quotient - 1n : quotient;
}

function writtenTicks(type: string, value: RecordValue): bigint | undefined {
  const writer = new ByteWriter();
  try {
    compileEncoder(type)!.write(value, writer);
  } catch (error) {
    if (error instanceof Error && error.name === 'Misfit') return undefined;
    throw error;
  }
  equal(writer.at, 8);
  return writer.slice(0, 8).readBigInt64LE(0);
}
