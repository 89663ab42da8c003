/**
 * Z4: a batch of which no row is taken, for a reason that a row or the table may give, and a table that would not take a
 * row of defaults either: on the real engine.
 */
import { deepEqual } from 'node:assert/strict';
import type { ClickHouseClient } from '@clickhouse/client';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import type { SinkSlot } from '../../../connectors/connector.ts';
import type { ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { MemoryLog } from '../../stream/support/memory-log.ts';
import { sinkContext, sinksOfTest, slotId } from '../sink-context.ts';
import { waitsFor, written } from './owner.ts';
import { withTestClickHouse } from './test-clickhouse.ts';

/** A cipher wants a key of sixteen bytes: another one is BAD_ARGUMENTS, and so is none. */
const encrypted = "encrypt('aes-128-ecb', 'x', k)";
const good = (id: number) => ({ id, k: '0123456789012345' });
const bad = (id: number) => ({ id, k: 'short' });

describe('a table that refuses a row of defaults', function () {
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  let made = 0;
  const opened = sinksOfTest();

  withTestClickHouse((connected, started) => {
    client = connected;
    clickhouse = started;
  });

  const run = (query: string) => client.command({ query });
  const windowed = 'SETTINGS non_replicated_deduplication_window = 1000';

  async function create(columns: string, engine = 'MergeTree ORDER BY id'): Promise<string> {
    const name = `strict${made++}`;
    await run(`CREATE TABLE ${name} (${columns}) ENGINE = ${engine} ${windowed}`);
    return name;
  }

  async function open(table: string): Promise<SinkSlot> {
    const connected = await sink.connect(clickhouseSinkSpec.parse({ url: clickhouse.url, table }), sinkContext());
    opened.push(connected);
    return connected.open(slotId);
  }

  async function ids(table: string): Promise<number[]> {
    const query = `SELECT toUInt32(id) AS id FROM ${table} ORDER BY id`;
    return (await (await client.query({ query, format: 'JSONEachRow' })).json<{ id: number }>()).map(({ id }) => id);
  }

  const strict: Readonly<Record<string, { readonly columns: string; readonly engine?: string }>> = {
    'for the same reason': { columns: `id UInt64, k String, e String MATERIALIZED ${encrypted}` },
    'for a constraint': {
      columns: `id UInt64, k String, e String MATERIALIZED ${encrypted}, CONSTRAINT c CHECK id > 0`,
    },
    'and has columns that are not stored, or not written': {
      columns: `id UInt64, x String EPHEMERAL 'x', k String, e String MATERIALIZED ${encrypted}, a String ALIAS k, d String DEFAULT concat(k, x)`,
    },
    'and has partitions': {
      columns: `id UInt64, k String, e String MATERIALIZED ${encrypted}`,
      engine: 'MergeTree PARTITION BY id % 3 ORDER BY id',
    },
  };

  for (const [what, { columns, engine }] of Object.entries(strict)) {
    it(`${what}: a record that is alone in its batch is at fault when the table takes a row that it has, by any owner`, async () => {
      const table = await create(columns, engine);
      deepEqual(await written(await open(table), new MemoryLog(), [good(1)], 1), []);
      deepEqual(await written(await open(table), new MemoryLog(), [bad(2)], 2), [0]);
      deepEqual(await written(await open(table), new MemoryLog(), [bad(3), bad(4), bad(5)], 3), [0, 1, 2]);
      deepEqual(await written(await open(table), new MemoryLog(), [good(6)], 4), []);
      deepEqual(await ids(table), [1, 6]);
    });
  }

  it('through a view: a record is at fault when table and view take a row that the table has', async () => {
    const table = await create('id UInt64, k String');
    const target = await create(`id UInt64, k String, e String MATERIALIZED ${encrypted}`);
    await run(`CREATE MATERIALIZED VIEW ${table}_view TO ${target} AS SELECT * FROM ${table}`);
    deepEqual(await written(await open(table), new MemoryLog(), [good(1)], 1), []);
    deepEqual(await written(await open(table), new MemoryLog(), [bad(2)], 2), [0]);
    deepEqual([await ids(table), await ids(target)], [[1], [1]]);
  });

  it('and has no row: the sink waits and says what tells; a row that is inserted by hand does', async () => {
    const table = await create(`id UInt64, k String, e String MATERIALIZED ${encrypted}`);
    const log = new MemoryLog();
    const end = await written(await open(table), log, [bad(1)]);
    waitsFor('MR_SINK_ROWS_UNKNOWN', /one of defaults too, and has none .* insert any row that the table takes/s)(end);
    await run(`INSERT INTO ${table} VALUES (7, '0123456789012345')`);
    deepEqual(await written(await open(table), log, [bad(1)]), [0]);
    deepEqual(await ids(table), [7]);
  });

  it('and each that it has: the sink waits for the table, and goes on when it is corrected', async () => {
    const table = await create('id UInt64, k String');
    await run(`INSERT INTO ${table} VALUES (1, 'old')`);
    await run(`ALTER TABLE ${table} ADD COLUMN e String MATERIALIZED ${encrypted}`);
    const log = new MemoryLog();
    const end = await written(await open(table), log, [bad(2)]);
    waitsFor('MR_SINK_TABLE_UNFIT', /it refuses every row, one of defaults and one that it has, too: /)(end);
    await run(`ALTER TABLE ${table} DROP COLUMN e`);
    deepEqual(await written(await open(table), log, [bad(2)]), []);
    deepEqual(await ids(table), [1, 2]);
  });

  // What a DEFAULT of the table, or one of what a DEFAULT reads, needs is gone: records are healthy that leave it to the table.
  for (const [what, columns, records] of [
    ['of the column', 'd String DEFAULT NAMED', [{ id: 2 }, { id: 3 }]],
    ['of one that reads another', 'c UInt64 DEFAULT id, d String DEFAULT NAMED', [{ id: 2, c: 1 }, { id: 3 }]],
    ['of one that is not stored', 'x String EPHEMERAL NAMED, d String DEFAULT x', [{ id: 2 }, { id: 3 }]],
    ['of one that is computed', 'd String MATERIALIZED NAMED', [{ id: 2 }, { id: 3 }]],
  ] as const) {
    it(`for want of a dictionary, ${what}: the sink waits, also when it has a row, and goes on when it is there again`, async () => {
      const names = await create('id UInt64, name String');
      await run(`INSERT INTO ${names} VALUES (1, 'one'), (2, 'two'), (3, 'three')`);
      const dictionary = `${names}_dictionary`;
      const define = `CREATE DICTIONARY ${dictionary} (id UInt64, name String) PRIMARY KEY id
        SOURCE(CLICKHOUSE(TABLE '${names}')) LAYOUT(FLAT()) LIFETIME(0)`;
      await run(define);
      const named = `dictGetString('${dictionary}', 'name', id)`;
      const table = await create(`id UInt64, v String, n Float64, j JSON, ${columns.replace('NAMED', named)}`);
      const first = [{ id: 1, v: '\u0000', n: 0.1, j: { a: [1] } }];
      deepEqual(await written(await open(table), new MemoryLog(), first, 1), []);
      await run(
        `DROP DICTIONARY ${dictionary} SETTINGS check_table_dependencies = 0, check_referential_table_dependencies = 0`,
      );
      const log = new MemoryLog();
      const end = await written(await open(table), log, records, 2);
      waitsFor('MR_SINK_TABLE_UNFIT', /one of defaults and one that it has, too: /)(end);
      await run(define);
      deepEqual([await written(await open(table), log, records, 2), await ids(table)], [[], [1, 2, 3]]);
    });
  }

  it('for want of a dictionary, of all that it stores: the sink waits', async () => {
    const names = await create('id UInt64, name String');
    await run(`CREATE DICTIONARY ${names}_all (id UInt64, name String) PRIMARY KEY id
      SOURCE(CLICKHOUSE(TABLE '${names}')) LAYOUT(FLAT()) LIFETIME(0)`);
    const table = await create(`id String DEFAULT dictGetString('${names}_all', 'name', toUInt64(1))`);
    deepEqual(await written(await open(table), new MemoryLog(), [{}], 1), []);
    await run(
      `DROP DICTIONARY ${names}_all SETTINGS check_table_dependencies = 0, check_referential_table_dependencies = 0`,
    );
    const end = await written(await open(table), new MemoryLog(), [{}], 2);
    waitsFor('MR_SINK_TABLE_UNFIT', /one of defaults and one that it has, too: /)(end);
  });

  it('that would take none of its rows with its own default, which the batch does not ask for: a record is at fault', async () => {
    const table = await create(`id UInt64, k String DEFAULT toString(id), e String MATERIALIZED ${encrypted}`);
    deepEqual(await written(await open(table), new MemoryLog(), [good(1)], 1), []);
    deepEqual(await written(await open(table), new MemoryLog(), [bad(2)], 2), [0]);
    deepEqual(await ids(table), [1]);
  });

  it('and has become stricter: the newest of its rows tells', async () => {
    const table = await create('id UInt64, k String');
    await run(`SYSTEM STOP MERGES ${table}`);
    await run(`INSERT INTO ${table} VALUES (1, 'old')`);
    await run(`ALTER TABLE ${table} ADD COLUMN e String MATERIALIZED ${encrypted}`);
    deepEqual(await written(await open(table), new MemoryLog(), [good(2)], 1), []);
    deepEqual(await written(await open(table), new MemoryLog(), [bad(3)], 2), [0]);
    deepEqual(await ids(table), [1, 2]);
  });
});
