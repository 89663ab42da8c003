/**
 * Whatever a table of the MergeTree family computes when rows are inserted, a row that it refuses for that is found, and
 * the others are stored once: engines × expressions, on the real engine. Where the user may make no tables that store
 * rows, the sink says what to do.
 */
import { deepEqual } from 'node:assert/strict';
import type { ClickHouseClient } from '@clickhouse/client';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import type { ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import type { RecordObject } from '../../../model/value.ts';
import { batch, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';
import { permissive } from './permissive.ts';
import { withTestClickHouse } from './test-clickhouse.ts';

interface Refusing {
  /** Of the columns besides `id`, and what else stands in the parentheses. */
  readonly columns: string;
  /** After the columns; the settings follow. */
  readonly engine: string;
  readonly good: RecordObject;
  readonly bad: RecordObject;
  readonly isEphemeral?: boolean;
  readonly settings?: readonly { readonly name: string; readonly value: string }[];
}

const plain = 'MergeTree ORDER BY id';
const text = { good: { s: '7' }, bad: { s: 'seven' } };
const date = { good: { s: '2026-01-31 00:00:00' }, bad: { s: 'tomorrow' } };
const at = 'toDateTime(s)';

const refusing: Readonly<Record<string, Refusing>> = {
  'a TTL': { columns: 's String', engine: `${plain} TTL ${at} + INTERVAL 50 YEAR`, ...date },
  'the WHERE of a TTL': {
    columns: 's String, d DateTime DEFAULT now()',
    engine: `${plain} TTL d + INTERVAL 50 YEAR DELETE WHERE toUInt8(s) = 9`,
    ...text,
  },
  'a TTL that groups': {
    columns: 's String, n UInt64',
    engine: `${plain} TTL ${at} + INTERVAL 50 YEAR GROUP BY id SET n = max(n)`,
    ...date,
  },
  'the last of several TTLs': {
    columns: 's String, d DateTime DEFAULT now(), n UInt64, m UInt64',
    engine: `MergeTree ORDER BY (id, d) TTL d + INTERVAL 50 YEAR GROUP BY id, d SET n = sum(n), m = max(if(m = 1, m, 2)), d + INTERVAL 60 YEAR DELETE WHERE n IN (1, 2), ${at} + INTERVAL 60 YEAR RECOMPRESS CODEC(Delta(4), ZSTD(3))`,
    ...date,
  },
  'the TTL of a column': {
    columns: `s String, x String DEFAULT 'a,) TTL' CODEC(ZSTD(1)) TTL ${at} + INTERVAL 50 YEAR`,
    engine: plain,
    ...date,
  },
  'the expression of a projection': {
    columns: 's String, PROJECTION p (SELECT toUInt8(s), count() GROUP BY toUInt8(s))',
    engine: plain,
    ...text,
  },
  'the order of a projection': {
    columns: 's String, PROJECTION p (SELECT * ORDER BY toUInt8(s))',
    engine: plain,
    ...text,
  },
  'a projection with a WITH': {
    columns: 's String, PROJECTION p (WITH toUInt8(s) AS n SELECT n, sum(id) GROUP BY n)',
    engine: plain,
    ...text,
  },
  'an aggregate of a projection': {
    columns: 's String, PROJECTION p (SELECT id, max(toUInt8(s)) GROUP BY id)',
    engine: plain,
    ...text,
  },
  'a projection of all rows': { columns: 's String, PROJECTION p (SELECT max(toUInt8(s)))', engine: plain, ...text },
  'the sign of a CollapsingMergeTree': {
    columns: 's Int8',
    engine: 'CollapsingMergeTree(s) ORDER BY id',
    good: { s: -1 },
    bad: { s: 5 },
  },
  'the deletion of a ReplacingMergeTree': {
    columns: 'v UInt8, `is,deleted` UInt8',
    engine: 'ReplacingMergeTree(v, `is,deleted`) ORDER BY id',
    good: { 'is,deleted': 1 },
    bad: { 'is,deleted': 2 },
  },
  'an aggregate function of an AggregatingMergeTree': {
    columns: 'm SimpleAggregateFunction(sumMap, Tuple(Array(UInt8), Array(UInt64)))',
    engine: 'AggregatingMergeTree ORDER BY id',
    good: { m: [[1], [1]] },
    bad: { m: [[1], [1, 2]] },
  },
  'a vector index': {
    columns: "v Array(Float32), INDEX i v TYPE vector_similarity('hnsw', 'L2Distance', 3)",
    engine: plain,
    good: { v: [1, 2, 3] },
    bad: { v: [1, 2] },
  },
  'an aggregate function of a SummingMergeTree': {
    columns: 'm SimpleAggregateFunction(sumMap, Tuple(Array(UInt8), Array(UInt64)))',
    engine: 'SummingMergeTree ORDER BY id',
    good: { m: [[1], [1]] },
    bad: { m: [[1], [1, 2]] },
  },
  'the index of a projection': {
    columns: 's String, PROJECTION p INDEX toUInt8(s) TYPE basic',
    engine: plain,
    ...text,
  },
  'the place of a row in a projection': {
    columns: 's String, PROJECTION p (SELECT _part_offset ORDER BY toUInt8(s))',
    engine: plain,
    ...text,
  },
  'a constraint, and its types are unusual': {
    columns: "s String, v LowCardinality(UInt8) DEFAULT 1, w Variant(UInt8, UInt16), CONSTRAINT c CHECK s != 'seven'",
    engine: plain,
    ...text,
  },
  'the partition key': { columns: 's String', engine: 'MergeTree PARTITION BY toUInt8(s) ORDER BY id', ...text },
  'the sorting key, whose columns have odd names': {
    columns: 's String, keys String, `a``b` UInt8',
    engine: 'MergeTree ORDER BY (toUInt8(s), keys, `a``b`)',
    ...text,
  },
  'the sampling key': {
    columns: 's String',
    engine: 'MergeTree ORDER BY (id, toUInt8(s)) SAMPLE BY toUInt8(s)',
    ...text,
  },
  'a skip index': { columns: 's String, INDEX i toUInt8(s) TYPE set(10)', engine: plain, ...text },
  'a MATERIALIZED column': { columns: 's String, m UInt8 MATERIALIZED toUInt8(s)', engine: plain, ...text },
  'a length': {
    columns: "n Int8, m String MATERIALIZED leftPad('x', n)",
    engine: plain,
    good: { n: 2 },
    bad: { n: -2 },
  },
  'a cipher': {
    columns: "s String, m String MATERIALIZED decrypt('aes-128-ecb', unhex(s), '0123456789012345')",
    engine: plain,
    good: { s: '' },
    bad: { s: 'ab' },
  },
  'a DEFAULT': { columns: 's String, m UInt8 DEFAULT toUInt8(s)', engine: plain, ...text },
  'a DEFAULT of an EPHEMERAL column': {
    columns: "s String EPHEMERAL '1', m UInt8 DEFAULT toUInt8(s)",
    engine: plain,
    isEphemeral: true,
    ...text,
  },
  'a constraint': { columns: "s String, CONSTRAINT c CHECK s != 'seven'", engine: plain, ...text },
};

describe('rows that a ClickHouse table refuses', function () {
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  let made = 0;

  withTestClickHouse((connected, started) => {
    client = connected;
    clickhouse = started;
  });

  const windowed = 'SETTINGS non_replicated_deduplication_window = 1000';

  const run = (query: string) => client.command({ query, clickhouse_settings: permissive });

  async function create(name: string, { columns, engine }: Refusing): Promise<void> {
    await run(`CREATE TABLE ${name} (id UInt64, ${columns}) ENGINE = ${engine} ${windowed}`);
  }

  async function columnOf<T>(query: string): Promise<T[]> {
    const result = await client.query({ query, format: 'JSONCompactEachRow' });
    return (await result.json<[T]>()).map(([value]) => value);
  }

  const idsOf = (table: string) => columnOf<number>(`SELECT toUInt32(id) FROM ${table} ORDER BY id`);

  /** A table with the plain columns of another one, and a view that hands its rows on. */
  async function createSource(name: string, target: string): Promise<void> {
    const query = `SELECT concat('"', name, '" ', type) FROM system.columns
      WHERE table = '${target}' AND default_kind = '' ORDER BY position`;
    const columns = await columnOf<string>(query);
    await run(`CREATE TABLE ${name} (${columns.join(', ')}) ENGINE = ${plain} ${windowed}`);
    await run(`CREATE MATERIALIZED VIEW ${name}_view TO ${target} AS SELECT * FROM ${name}`);
  }

  /** Nine good rows, the fifth is at fault. Resolves with the refused. */
  async function insert(table: string, { good, bad, settings = [] }: Refusing): Promise<readonly number[]> {
    const config = clickhouseSinkSpec.parse({ url: clickhouse.url, table, settings });
    const opened = await sink.connect(config, sinkContext());
    try {
      const slot = await opened.open({ ...slotId, stage: `sink-${table}` });
      const records = Array.from({ length: 9 }, (_, id) => ({ id, ...(id === 4 ? bad : good) }));
      const refused = await write(slot, rowsOf(slot, records), batch(0, 1));
      await slot.close();
      return refused.map(({ row }) => row);
    } finally {
      await opened.close();
    }
  }

  const others = [0, 1, 2, 3, 5, 6, 7, 8];

  for (const [what, table] of Object.entries(refusing)) {
    it(`for ${what} are found`, async () => {
      const name = `t${made++}`;
      await create(name, table);
      deepEqual([await insert(name, table), await idsOf(name)], [[4], others]);
    });

    if (table.isEphemeral === true) continue;
    it(`for ${what} of a table that a view writes to are found before the insert`, async () => {
      const name = `t${made++}`;
      await create(name, table);
      await createSource(`${name}_from`, name);
      const refused = await insert(`${name}_from`, table);
      deepEqual([refused, await idsOf(`${name}_from`), await idsOf(name)], [[4], others, others]);
    });
  }

  it('and that no twin without storage refuses are found by a copy, which is dropped', async () => {
    const name = `t${made++}`;
    const odd: Refusing = {
      columns: "s String, INDEX i s TYPE text(tokenizer = 'array', preprocessor = toString(toUInt8(s)))",
      engine: 'MergeTree PARTITION BY id % 2 ORDER BY id',
      ...text,
    };
    await create(name, odd);
    deepEqual([await insert(name, odd), await idsOf(name)], [[4], others]);
    deepEqual(await columnOf("SELECT name FROM system.tables WHERE name LIKE 'millrace_check_%'"), []);
  });

  for (const [setting, value, off] of [
    [
      'optimize_on_insert',
      '0',
      { columns: 's Int8', engine: 'CollapsingMergeTree(s) ORDER BY id', good: { s: 1 }, bad: { s: 5 } },
    ],
    [
      'optimize_on_insert',
      '0',
      { columns: 'v UInt8, d UInt8', engine: 'ReplacingMergeTree(v, d) ORDER BY id', good: { d: 1 }, bad: { d: 5 } },
    ],
    [
      'materialize_skip_indexes_on_insert',
      '0',
      { columns: 's String, INDEX i toUInt8(s) TYPE set(10)', engine: plain, ...text },
    ],
    [
      'exclude_materialize_skip_indexes_on_insert',
      '`i`, j',
      { columns: 's String, INDEX i toUInt8(s) TYPE set(10)', engine: plain, ...text },
    ],
  ] as const) {
    it(`are not those that it takes where ${setting} = ${value}: ${off.engine}`, async () => {
      const name = `t${made++}`;
      await create(name, off);
      await createSource(`${name}_from`, name);
      const refused = await insert(`${name}_from`, { ...off, settings: [{ name: setting, value }] });
      deepEqual([refused, (await idsOf(name)).length], [[], 9]);
    });
  }

  for (const projection of [
    'SELECT id, toUInt8(any(s)) GROUP BY id',
    'SELECT id, any(s) AS a, toUInt8(a) GROUP BY id',
    'SELECT toUInt8(min(s))',
    'SELECT concat(s, s) AS k, toUInt8(k) GROUP BY k',
    'SELECT toUInt8(s) AS k, id ORDER BY id',
    'WITH toUInt8(s) AS k SELECT k, id ORDER BY id',
  ]) {
    it(`are not those for which a projection fails when it is read: ${projection}`, async () => {
      const name = `t${made++}`;
      const taken: Refusing = { columns: `s String, PROJECTION p (${projection})`, engine: plain, ...text };
      await create(name, taken);
      await createSource(`${name}_from`, name);
      deepEqual([await insert(`${name}_from`, taken), (await idsOf(name)).length], [[], 9]);
    });
  }
});
