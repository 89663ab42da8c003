import { deepEqual, equal, throws } from 'node:assert/strict';
import type { ClickHouseClient } from '@clickhouse/client';
import fc from 'fast-check';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import { ExactNumber, type RecordObject, type RecordValue } from '../../../model/value.ts';
import type { ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { batch, meta, noSignal, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';
import { withTestClickHouse } from './test-clickhouse.ts';

describe('ClickHouse types', function () {
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  let tables = 0;

  withTestClickHouse((connected, started) => {
    client = connected;
    clickhouse = started;
  });

  /** Writes the values into a fresh table with one column, and reads them back as text, in order. */
  async function stored(
    type: string,
    values: readonly (RecordValue | undefined)[],
    defaultExpression = '',
  ): Promise<string[]> {
    const table = `t${++tables}`;
    const column = `v ${type} ${defaultExpression}`;
    const settings = 'SETTINGS non_replicated_deduplication_window = 1000';
    await client.command({
      query: `CREATE TABLE ${table} (n UInt32, ${column}) ENGINE = MergeTree ORDER BY n ${settings}`,
    });
    const connected = await sink.connect(clickhouseSinkSpec.parse({ url: clickhouse.url, table }), sinkContext());
    const slot = await connected.open(slotId);
    const records = values.map((v, n): RecordObject => (v === undefined ? { n } : { n, v }));
    const refused = await write(slot, rowsOf(slot, records), batch(0, 1), noSignal);
    await connected.close();
    deepEqual(refused, []);
    const result = await client.query({
      query: `SELECT toString(v) AS v FROM ${table} ORDER BY n`,
      format: 'JSONCompactEachRow',
    });
    return (await result.json<[string]>()).map(([text]) => text);
  }

  async function misfit(type: string, value: RecordValue): Promise<() => void> {
    const table = `t${++tables}`;
    const settings = 'SETTINGS non_replicated_deduplication_window = 1000';
    await client.command({
      query: `CREATE TABLE ${table} (v ${type}) ENGINE = MergeTree ORDER BY tuple() ${settings}`,
    });
    const connected = await sink.connect(clickhouseSinkSpec.parse({ url: clickhouse.url, table }), sinkContext());
    const slot = await connected.open(slotId);
    await connected.close();
    const buffer = slot.newRows();
    return () => buffer.add({ v: value }, meta);
  }

  const exact = (text: string) => new ExactNumber(text);
  it('R2: writes the default of each type for a missing field', async () => {
    const types = [
      'Int32',
      'Int64',
      'UUID',
      'IPv6',
      "DateTime('UTC')",
      'Decimal(38, 3)',
      'FixedString(2)',
      'Tuple(Int8, String)',
    ];
    const defaults = await Promise.all(types.map(async (type) => (await stored(type, [undefined]))[0]));
    deepEqual(defaults, [
      '0',
      '0',
      '00000000-0000-0000-0000-000000000000',
      '::',
      '1970-01-01 00:00:00',
      '0',
      '',
      "(0,'')",
    ]);
  });

  it('R2: takes the DEFAULT expression of the column for a missing field only', async () => {
    deepEqual(await stored('Nullable(Int32)', [undefined, null, 1], 'DEFAULT 7'), ['7', null, '1']);
  });

  const misfits: readonly [type: string, value: RecordValue, message: RegExp][] = [
    ['Int8', 128, /from -128 to 127 \(Int8\), but is the number 128/],
    ['Int32', 1.5, /the number 1\.5/],
    ['Int32', '5', /the text "5"/],
    ['UInt64', -1, /from 0 to 18446744073709551615/],
    ['UInt64', exact('18446744073709551616'), /the number 18446744073709551616/],
    ['Int64', 'five', /the text "five"/],
    ['Float64', '1.5', /must be a number \(Float64\)/],
    ['Decimal(4, 2)', 123.4, /at most 2 digits before the point and 2 after it/],
    ['Decimal(9, 2)', exact('1.00000000000000000001'), /2 after it/],
    ['Date', '2026-02-30', /a date like/],
    ['Date', '1969-12-31', /a date like/],
    ['DateTime', 'soon', /a time like/],
    ['DateTime', '2026-01-31T25:00:00Z', /a time like/],
    ['DateTime', -1, /a time like/],
    ['DateTime64(3)', '2026-01-31T12:34:56.789 Z', /a time like/],
    ['DateTime64(9)', '2299-01-01T00:00:00Z', /a time like/],
    ['FixedString(2)', 'abc', /at most 2 bytes/],
    ['Bool', 1, /true or false/],
    ['UUID', 'x', /a UUID/],
    ['IPv4', '300.1.1.1', /an address/],
    ["Enum8('a' = 1)", 'b', /one of a/],
    ['Array(Int8)', 'x', /an array/],
    ['Array(Int8)', [1, null], /but is null/],
    ['Map(String, Int8)', [1], /an object \(Map\)/],
    ['Tuple(a Int8)', 'x', /an object with a/],
    ['JSON', 'x', /an object \(JSON\)/],
    ['String', null, /but is null/],
  ];

  for (const [type, value, message] of misfits) {
    it(`T1: refuses ${JSON.stringify(value, (_, v: unknown) => (v instanceof ExactNumber ? v.text : v))} for ${type}`, async () => {
      throws(await misfit(type, value), message);
    });
  }

  it('T1: any text, integer, double, time and list comes back as it went in', async () => {
    const table = 'anything';
    await client.command({
      query: `CREATE TABLE anything (n UInt32, s String, i Int64, f Float64, d Decimal(30, 6), at DateTime64(6, 'UTC'),
        l Array(Nullable(String)), m Map(String, Int32)) ENGINE = MergeTree ORDER BY n
        SETTINGS non_replicated_deduplication_window = 1000`,
    });
    const connected = await sink.connect(clickhouseSinkSpec.parse({ url: clickhouse.url, table }), sinkContext());
    const slot = await connected.open(slotId);
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    const record = fc.record({
      s: text,
      i: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      f: fc.double({ noNaN: true, noDefaultInfinity: true }),
      d: fc.bigInt({ min: -(10n ** 29n), max: 10n ** 29n }),
      at: fc.date({
        min: new Date('1900-01-01T00:00:00Z'),
        max: new Date('2299-12-31T23:59:59Z'),
        noInvalidDate: true,
      }),
      l: fc.array(fc.option(text), { maxLength: 4 }),
      m: fc.dictionary(text, fc.integer(), { maxKeys: 4, noNullPrototype: true }),
    });
    let round = 0;
    const property = fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 50 }), async (records) => {
      await client.command({ query: 'TRUNCATE TABLE anything' });
      const rows = records.map(({ d, at, ...rest }, n) => ({
        ...rest,
        n,
        d: exact(`${d.toString()}e-6`),
        at: at.toISOString(),
      }));
      round++;
      deepEqual(await write(slot, rowsOf(slot, rows), batch(round, round + 1), noSignal), []);
      const query = `SELECT s, toString(i) AS i, f, toString(toInt128(d * 1000000)) AS d, toUnixTimestamp64Milli(at) AS at, l, m
        FROM anything ORDER BY n`;
      const settings = { output_format_json_quote_denormals: 1, output_format_json_quote_64bit_integers: 0 } as const;
      const result = await client.query({ query, format: 'JSONEachRow', clickhouse_settings: settings });
      const expected = records.map(({ s, i, f, d, at, l, m }) => ({
        s: wellFormed(s),
        i: i.toString(),
        f,
        d: d.toString(),
        at: at.getTime(),
        l: l.map((item) => (item === null ? null : wellFormed(item))),
        m: Object.fromEntries(Object.entries(m).map(([key, value]) => [wellFormed(key), value])),
      }));
      const actual = await result.json<Record<string, unknown>>();
      deepEqual(
        actual.map((row) => ({ ...row, f: row['f'] === 0 ? 0 : row['f'] })),
        expected.map((row) => ({ ...row, f: row.f === 0 ? 0 : row.f })),
      );
    });
    await fc.assert(property, { numRuns: 60 });
    await connected.close();
    equal(round >= 60, true);
  });
});

/** A lone surrogate has no UTF-8: it is stored as U+FFFD, as in any encoder. */
function wellFormed(text: string): string {
  return text.toWellFormed();
}
