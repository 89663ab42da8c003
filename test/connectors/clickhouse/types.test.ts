import { deepEqual, equal, throws } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import fc from 'fast-check';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import { ExactNumber, type RecordObject, type RecordValue } from '../../../model/value.ts';
import { startClickHouse, type ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { freePort } from '../../../local/ports.ts';
import { batch, meta, noSignal, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';

describe('ClickHouse types', function () {
  let dir: string;
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  let tables = 0;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-types-'));
    clickhouse = await startClickHouse({ dir, port: await freePort() });
    client = createClient({ url: clickhouse.url });
  });

  after(async () => {
    await client.close();
    await clickhouse.stop();
    await rm(dir, { recursive: true });
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
  const long = 'ü'.repeat(100);

  const cases: readonly [type: string, values: readonly (RecordValue | undefined)[], texts: readonly string[]][] = [
    [
      'String',
      ['', 'abc', 'ünï', long, '😀\n\t\'"\\', 12, true, { a: [1, null] }],
      ['', 'abc', 'ünï', long, '😀\n\t\'"\\', '12', 'true', '{"a":[1,null]}'],
    ],
    [
      'String',
      [exact('12345678901234567890.5'), { n: exact('98765432109876543210') }, 2n ** 70n],
      ['12345678901234567890.5', '{"n":98765432109876543210}', '1180591620717411303424'],
    ],
    ['FixedString(4)', ['ab', 'wxyz'], ['ab', 'wxyz']],
    ['Bool', [true, false], ['true', 'false']],
    ['Int8', [-128, 127, true, -1n], ['-128', '127', '1', '-1']],
    ['UInt8', [0, 255], ['0', '255']],
    ['Int16', [-32768, 32767], ['-32768', '32767']],
    ['UInt16', [65535], ['65535']],
    ['Int32', [-2147483648, 2147483647], ['-2147483648', '2147483647']],
    ['UInt32', [4294967295], ['4294967295']],
    [
      'Int64',
      [-1, -(2 ** 40), 2 ** 53 - 1, exact('-9223372036854775808'), 9223372036854775807n, '42'],
      ['-1', '-1099511627776', '9007199254740991', '-9223372036854775808', '9223372036854775807', '42'],
    ],
    ['UInt64', [0, exact('18446744073709551615'), 1e19], ['0', '18446744073709551615', '10000000000000000000']],
    [
      'Int128',
      [-1, exact('-170141183460469231731687303715884105728')],
      ['-1', '-170141183460469231731687303715884105728'],
    ],
    ['UInt128', [exact('340282366920938463463374607431768211455')], ['340282366920938463463374607431768211455']],
    ['Int256', [-5, 2n ** 200n], ['-5', (2n ** 200n).toString()]],
    ['UInt256', [2n ** 256n - 1n], [(2n ** 256n - 1n).toString()]],
    ['Float32', [1.5, -0.25], ['1.5', '-0.25']],
    ['Float64', [0.1, -1e300, exact('0.30000000000000000001'), 7n], ['0.1', '-1e300', '0.3', '7']],
    ['Decimal(9, 2)', [1.5, -0.01, 1.005, 12, '3.10', exact('7.0000')], ['1.5', '-0.01', '1.01', '12', '3.1', '7']],
    ['Decimal(18, 4)', [-123456.7891, 99999999999999.9], ['-123456.7891', '99999999999999.9']],
    [
      'Decimal(38, 10)',
      [exact('1234567890123456789012345678.0123456789'), 0.1],
      ['1234567890123456789012345678.0123456789', '0.1'],
    ],
    ['Decimal(76, 20)', [exact('-1e50')], [`-1${'0'.repeat(50)}`]],
    ['Date', ['1970-01-01', '2024-02-29', '2149-06-06', 1], ['1970-01-01', '2024-02-29', '2149-06-06', '1970-01-02']],
    ['Date32', ['1900-01-01', '1969-12-31', '2299-12-31'], ['1900-01-01', '1969-12-31', '2299-12-31']],
    [
      "DateTime('UTC')",
      ['2026-01-31T12:34:56Z', '2026-01-31 12:34:56', '2026-01-31T12:34:56.789+01:00', 0, '2026-01-31'],
      [
        '2026-01-31 12:34:56',
        '2026-01-31 12:34:56',
        '2026-01-31 11:34:56',
        '1970-01-01 00:00:00',
        '2026-01-31 00:00:00',
      ],
    ],
    [
      "DateTime64(3, 'UTC')",
      ['2026-01-31T12:34:56.789Z', '1900-01-01T00:00:00.5Z', 1700000000123, '2026-01-31T12:34:56.1-0230'],
      ['2026-01-31 12:34:56.789', '1900-01-01 00:00:00.500', '2023-11-14 22:13:20.123', '2026-01-31 15:04:56.100'],
    ],
    [
      "DateTime64(9, 'UTC')",
      ['2026-01-31T12:34:56.123456789Z', exact('1700000000123456789')],
      ['2026-01-31 12:34:56.123456789', '2023-11-14 22:13:20.123456789'],
    ],
    ["DateTime64(0, 'UTC')", ['2026-01-31T12:34:56.999Z'], ['2026-01-31 12:34:56']],
    ['UUID', ['61f0c404-5cb3-11e7-907b-a6006ad3dba0'], ['61f0c404-5cb3-11e7-907b-a6006ad3dba0']],
    ['IPv4', ['192.0.2.1'], ['192.0.2.1']],
    [
      'IPv6',
      ['2001:db8::1', '::', '1:2:3:4:5:6:7:8', '192.0.2.1'],
      ['2001:db8::1', '::', '1:2:3:4:5:6:7:8', '::ffff:192.0.2.1'],
    ],
    ["Enum8('open' = 1, 'paid' = -2, 'it''s' = 3)", ['paid', 1, "it's", undefined], ['paid', 'open', "it's", 'paid']],
    ["Enum16('a' = 1000)", ['a'], ['a']],
    ['Nullable(Int64)', [null, 5, undefined], [null as unknown as string, '5', null as unknown as string]],
    ['LowCardinality(String)', ['x', 'x', undefined], ['x', 'x', '']],
    ['LowCardinality(Nullable(String))', ['x', null], ['x', null as unknown as string]],
    ['Array(Nullable(Int32))', [[1, null, 3], []], ['[1,NULL,3]', '[]']],
    ['Array(Array(String))', [[['a'], []]], ["[['a'],[]]"]],
    ['Map(String, UInt8)', [{ a: 1, b: 2 }, {}], ["{'a':1,'b':2}", '{}']],
    ['Map(LowCardinality(String), Array(Float64))', [{ a: [0.5] }], ["{'a':[0.5]}"]],
    ['Tuple(a Int8, b Nullable(String))', [{ a: 1, b: 'x' }, { a: 2 }, [3, null]], ["(1,'x')", '(2,NULL)', '(3,NULL)']],
    ['Tuple(Int8, String)', [[1, 'x']], ["(1,'x')"]],
    ['JSON', [{ a: { b: 1 }, c: 'x' }, undefined], ['{"a":{"b":1},"c":"x"}', '{}']],
  ];

  for (const [type, values, texts] of cases) {
    it(`keeps ${type}: ${texts.join(', ').slice(0, 60)}`, async () => {
      deepEqual(await stored(type, values), texts);
    });

    it(`keeps ${type} in a table with a DEFAULT expression: ${texts.join(', ').slice(0, 60)}`, async () => {
      deepEqual(await stored(type, values, ', other Int8 DEFAULT 1'), texts);
    });
  }

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
