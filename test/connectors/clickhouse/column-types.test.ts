import { deepEqual, equal, match, rejects, throws } from 'node:assert/strict';
import type { ClickHouseClient } from '@clickhouse/client';
import { ByteWriter } from '../../../connectors/clickhouse/byte-writer.ts';
import { parseType } from '../../../connectors/clickhouse/column-type.ts';
import { compileEncoder } from '../../../connectors/clickhouse/encoders.ts';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import type { ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { MillraceError } from '../../../model/errors.ts';
import { ExactNumber, type RecordObject, type RecordValue } from '../../../model/value.ts';
import { decode } from '../../transforms/support/records.ts';
import { batch, meta, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';
import { permissive } from './permissive.ts';
import { withTestClickHouse } from './test-clickhouse.ts';

describe('ClickHouse column types', function () {
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  let tables = 0;

  withTestClickHouse((connected, started) => {
    client = connected;
    clickhouse = started;
  });

  async function table(columns: string): Promise<string> {
    const name = `t${++tables}`;
    const query = `CREATE TABLE ${name} (${columns}) ENGINE = MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 1000`;
    await client.command({ query, clickhouse_settings: permissive });
    return name;
  }

  const connect = (name: string) =>
    sink.connect(clickhouseSinkSpec.parse({ url: clickhouse.url, table: name }), sinkContext());

  /** What comes back of `select`, by row, of a table that got the records. */
  async function written(columns: string, records: readonly RecordObject[], select: string): Promise<unknown[]> {
    const name = await table(columns);
    const connected = await connect(name);
    const slot = await connected.open(slotId);
    deepEqual(await write(slot, rowsOf(slot, records), batch(0, 1)), []);
    await connected.close();
    const result = await client.query({ query: `SELECT ${select} FROM ${name}`, format: 'JSONCompactEachRow' });
    return result.json();
  }

  async function rowsFor(columns: string): Promise<(record: RecordObject) => void> {
    const connected = await connect(await table(columns));
    const slot = await connected.open(slotId);
    const buffer = slot.newRows();
    await connected.close();
    return (record) => buffer.add(record, meta);
  }

  const isUnfit = (problem: RegExp) => (error: unknown) =>
    error instanceof MillraceError && error.code === 'MR_SINK_TABLE_UNFIT' && problem.test(error.message);

  it('A2: a type that cannot be written is named with its column, the same at each attempt', async () => {
    const name = await table('id UInt8, total AggregateFunction(quantiles(0.5, 0.9), UInt64)');
    const problem =
      /column "total" has type AggregateFunction\(quantiles\(0\.5, 0\.9\), UInt64\), which Millrace cannot/;
    const texts = new Set<string>();
    for (let attempt = 0; attempt < 3; attempt++) {
      await rejects(connect(name), (error) => {
        texts.add(String(error));
        return isUnfit(problem)(error);
      });
    }
    equal(texts.size, 1);
  });

  describe('keys of a Map', () => {
    it('that cannot be read are a misfit', async () => {
      const add = await rowsFor('v Map(UInt8, UInt8)');
      throws(() => add({ v: { x: 1 } }), /a number as key of the Map, but is the text "x"/);
      throws(() => add({ v: { '256': 1 } }), /from 0 to 255/);
    });
  });

  it('a member that a step removed is absent: of a Map, of a Tuple, of a list of a Nested', async () => {
    const record = { m: { keep: 'a', gone: undefined }, t: { a: undefined, b: 'x' }, n: [{ a: 1 }, { a: undefined }] };
    const columns = 'm Map(String, String), t Tuple(a UInt8, b String), n Nested(a UInt8, b Nullable(String))';
    deepEqual(await written(columns, [record], 'm, t.a, t.b, n.a, n.b'), [
      [{ keep: 'a' }, 0, 'x', [1, 0], [null, null]],
    ]);
  });

  describe('F2: a Nested', () => {
    const columns = 'id UInt8, n Nested(a UInt8, b String)';
    const select = 'n.a, n.b';
    const forms: readonly [what: string, record: RecordObject, row: unknown][] = [
      [
        'a list of objects',
        { n: [{ a: 1, b: 'x' }, { a: 2 }] },
        [
          [1, 2],
          ['x', ''],
        ],
      ],
      [
        'an object of lists',
        { n: { a: [1, 2], b: ['x', 'y'] } },
        [
          [1, 2],
          ['x', 'y'],
        ],
      ],
      ['fields with the names of the columns', { 'n.a': [1], 'n.b': ['x'] }, [[1], ['x']]],
      ['an empty list', { n: [] }, [[], []]],
      ['null', { n: null }, [[], []]],
      ['nothing', {}, [[], []]],
    ];
    for (const [what, record, row] of forms) {
      it(`takes ${what}`, async () => deepEqual(await written(columns, [record], select), [row]));
    }

    it('does not take what has no such members', async () => {
      const add = await rowsFor(columns);
      throws(() => add({ n: 5 }), /"n\.a" must be an object with a, or a list of such, but is the number 5/);
      throws(() => add({ n: ['x'] }), /an object with a, or a list of such, but is the text "x"/);
    });
  });

  it('a column with a name of the prototype is empty unless the record has the field', async () => {
    const columns = '`__proto__` String, `constructor` Nullable(String), `a``b` UInt8';
    const records = [{}, decode('{"__proto__":"p","constructor":"c","a`b":7}')];
    deepEqual(await written(columns, records, '*'), [
      ['', null, 0],
      ['p', 'c', 7],
    ]);
  });

  it('an EPHEMERAL column is written, so that the DEFAULT of another one sees it', async () => {
    const columns =
      "id UInt8, e String EPHEMERAL, f String DEFAULT upper(e), g String EPHEMERAL 'none', h String DEFAULT g";
    const records = [{ id: 1, e: 'x', g: 'y' }, { id: 2 }, { id: 3, e: 'x', f: 'own' }];
    deepEqual(await written(columns, records, 'id, f, h'), [
      [1, 'X', 'y'],
      [2, '', 'none'],
      [3, 'own', 'none'],
    ]);
  });

  for (const kind of ['MATERIALIZED', 'ALIAS']) {
    it(`R2: a field whose column is ${kind} is a misfit, and nothing when it is null or absent`, async () => {
      const add = await rowsFor(`id UInt8, double UInt16 ${kind} id * 2`);
      add({ id: 1 });
      add({ id: 1, double: null });
      throws(() => add({ id: 1, double: 3 }), {
        code: 'MR_RECORD_MISFIT',
        message: new RegExp(`"double" must be absent, because the column is ${kind} .* but is the number 3`),
      });
    });
  }

  describe('Variant and Dynamic', () => {
    const variants: readonly [type: string, json: string, name: string][] = [
      ['Variant(UInt64, String)', '"12"', 'String'],
      ['Variant(UInt64, String)', '12', 'UInt64'],
      ['Variant(Float64, UInt64)', '12345678901234567890', 'UInt64'],
      ['Variant(Float64, UInt64)', '1.5', 'Float64'],
      ['Variant(Decimal(38, 20), Float64)', '0.12345678901234567891', 'Decimal(38, 20)'],
      ['Variant(Bool, UInt8)', 'true', 'Bool'],
      ['Variant(DateTime, Int64)', '5', 'Int64'],
      ['Variant(Array(UInt8), String)', '[1,2]', 'Array(UInt8)'],
      ['Variant(Array(UInt8), String)', '[1,"x"]', 'String'],
      ['Variant(Map(String, UInt8), String)', '{"a":1}', 'Map(String, UInt8)'],
      ['Variant(UInt64, String)', 'null', 'None'],
      ['Variant(UInt64, String)', '-1', 'String'],
    ];
    for (const [type, json, name] of variants) {
      it(`V1: ${json} into ${type} is a ${name}`, async () => {
        deepEqual(await written(`v ${type}`, [decode(`{"v":${json}}`)], 'variantType(v)::String'), [[name]]);
      });
    }

    const dynamics: readonly [json: string, name: string, text: string | null][] = [
      ['null', 'None', ''],
      ['true', 'Bool', 'true'],
      ['-1', 'Int64', '-1'],
      ['18446744073709551615', 'UInt64', '18446744073709551615'],
      ['1e23', 'Int128', '100000000000000000000000'],
      ['-1e50', 'Int256', `-1${'0'.repeat(50)}`],
      ['1.5', 'Float64', '1.5'],
      ['"x"', 'String', 'x'],
      ['{"a":{"b":[1]}}', 'JSON', '{"a":{"b":[1]}}'],
      ['[]', 'Array(Dynamic)', '[]'],
    ];
    for (const [json, name, text] of dynamics) {
      it(`V2: ${json} into Dynamic is ${name}`, async () => {
        const rows = await written('v Dynamic', [decode(`{"v":${json}}`)], 'dynamicType(v), toString(v)');
        deepEqual(rows, [[name, text]]);
      });
    }

    it('V2: a number with more digits than a double has is a misfit', async () => {
      const add = await rowsFor('v Dynamic');
      throws(() => add(decode('{"v":0.12345678901234567891}')), /a double or an integer of 256 bits/);
    });
  });

  it('G4: a text in a column of type JSON stays the text that it is, whatever it looks like', async () => {
    const texts = {
      date: '2026-01-31',
      time: '2026-01-31 10:00:00',
      iso: '2026-01-31T10:00:00.5Z',
      zone: '2026-01-31T10:00:00+02:00',
      integer: '12',
      long: '007',
      decimal: '1.50',
      exponent: '1e3',
      bool: 'true',
      none: 'null',
      uuid: '61f0c404-5cb3-11e7-907b-a6006ad3dba0',
      address: '192.0.2.1',
      list: '[1]',
      object: '{"a":1}',
      empty: '',
    };
    const nested = { texts, many: Object.values(texts) };
    const select = 'toString(v), arrayDistinct(mapValues(JSONAllPathsWithTypes(v)))';
    const [row] = await written('v JSON', [{ v: texts }, { v: nested }], select);
    const kinds = [JSON.stringify(Object.fromEntries(Object.entries(texts).toSorted())), ['String']];
    deepEqual(row, kinds);
    const [both] = await written('v JSON', [{ v: nested }], 'toString(v.texts.iso), arrayElement(v.many, 3)');
    deepEqual(both, [texts.iso, texts.iso]);
  });

  it('JSON: a number that the type would round is a misfit', async () => {
    const add = await rowsFor('v JSON');
    add(decode('{"v":{"a":[18446744073709551615,-9223372036854775808],"b":[0.1]}}'));
    throws(() => add(decode('{"v":{"a":[{"b":0.12345678901234567891}]}}')), /numbers that type JSON keeps/);
    throws(() => add(decode('{"v":{"a":1e400}}')), /numbers that type JSON keeps/);
    throws(() => add(decode('{"v":12345678901234567890}')), /an object \(JSON\), but is the number/);
  });

  describe('the grammar of types', () => {
    for (const type of [
      "Enum8('' = 0)",
      String.raw`Enum8('a\\b' = 1, 'c\'d' = 2, 'e,f)' = 3)`,
      'Tuple()',
      'Tuple(a Tuple(b Array(Nullable(UInt8))))',
      'AggregateFunction(1, sumMap, Array(UInt8), Map(String, UInt8))',
      "AggregateFunction(sequenceMatch('(?1)(?2)'), DateTime, UInt8, UInt8)",
      "JSON(`a.b` UInt32, SKIP `a.e`, SKIP REGEXP 'x(.*)')",
      'Nested(a UInt8, `b c` Nested(d String))',
      "DateTime64(6, 'America/Argentina/Buenos_Aires')",
    ]) {
      it(`reads ${type}`, () => equal(parseType(type) === null, false));
    }

    for (const type of ['', 'UInt8)', 'Array(', 'Array(UInt8', 'Map(String,)', "Enum8('a' = )", "'x'"]) {
      it(`does not read ${JSON.stringify(type)}`, () => equal(compileEncoder(type), null));
    }
  });

  describe('floats', () => {
    const inRange: readonly [type: string, value: RecordValue, text: string][] = [
      ['Float64', 5e-324, '5e-324'],
      ['Float64', 1.7976931348623157e308, '1.7976931348623157e308'],
      ['Float32', 3.4e38, '3.4e38'],
      ['Float32', 0, '0'],
      ['Float32', -0, '-0'],
      ['BFloat16', 1.0078125, '1.0078125'],
      ['Float64', new ExactNumber(`0.${'0'.repeat(400)}`), '0'],
    ];
    for (const [type, value, text] of inRange) {
      it(`${type} takes ${text}`, async () =>
        deepEqual(await written(`v ${type}`, [{ v: value }], 'toString(v)'), [[text]]));
    }

    for (const [type, value] of [
      ['Float64', new ExactNumber('1e400')],
      ['Float64', new ExactNumber('-1e-400')],
      ['Float32', 1e39],
      ['Float32', 1e-60],
      ['BFloat16', -3.4028235e39],
      ['Float64', 2n ** 2000n],
    ] as const) {
      it(`${type} does not take ${String(value).slice(0, 30)}: nothing of it would be left`, () => {
        const buffer = compileEncoder(type);
        match(type, /Float/);
        throws(() => buffer?.write(value, new ByteWriter()), { name: 'Misfit' });
      });
    }
  });
});
