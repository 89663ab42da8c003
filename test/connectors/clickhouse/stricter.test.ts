/**
 * A batch that is stored, whose answer was lost, and whose table refuses a row of it since then: on the real engine. The
 * row is in the table, so it must not become a dead letter because somebody wants no more rows like it.
 */
import { deepEqual, equal } from 'node:assert/strict';
import type { ClickHouseClient } from '@clickhouse/client';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import type { SinkSlot } from '../../../connectors/connector.ts';
import type { ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { MemoryLog } from '../../stream/support/memory-log.ts';
import { sinkContext, sinksOfTest, slotId } from '../sink-context.ts';
import { waitsFor, written } from './owner.ts';
import { withTestClickHouse } from './test-clickhouse.ts';

interface Stricter {
  readonly make: (table: string) => string;
  readonly undo: (table: string) => string;
}

const ways: Readonly<Record<string, Stricter>> = {
  'a CONSTRAINT': {
    make: (table) => `ALTER TABLE ${table} ADD CONSTRAINT c CHECK v != 'seven'`,
    undo: (table) => `ALTER TABLE ${table} DROP CONSTRAINT c`,
  },
  'a view': {
    make: (table) => `CREATE MATERIALIZED VIEW ${table}_seen ENGINE = MergeTree ORDER BY n
      SETTINGS non_replicated_deduplication_window = 1000 AS SELECT throwIf(v = 'seven') AS n FROM ${table}`,
    undo: (table) => `DROP VIEW ${table}_seen SYNC`,
  },
};

const two = [
  { id: 1, v: 'a' },
  { id: 2, v: 'seven' },
];

describe('ClickHouse sink, a batch that may be stored, and a table that became stricter', function () {
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  const opened = sinksOfTest();
  let made = 0;

  withTestClickHouse((connected, started) => {
    client = connected;
    clickhouse = started;
  });

  const run = (query: string) => client.command({ query });

  async function create(columns = 'id UInt64, v String', partition = ''): Promise<string> {
    const name = `stricter${made++}`;
    await run(
      `CREATE TABLE ${name} (${columns}) ENGINE = MergeTree ${partition} ORDER BY id SETTINGS non_replicated_deduplication_window = 1000`,
    );
    return name;
  }

  async function open(name: string, onUncertain = 'Stop'): Promise<SinkSlot> {
    const config = clickhouseSinkSpec.parse({ url: clickhouse.url, table: name, onUncertain });
    const connected = await sink.connect(config, sinkContext());
    opened.push(connected);
    return connected.open(slotId);
  }

  async function ids(name: string): Promise<number[]> {
    const query = `SELECT toUInt32(id) AS id FROM ${name} ORDER BY id`;
    return (await (await client.query({ query, format: 'JSONEachRow' })).json<{ id: number }>()).map(({ id }) => id);
  }

  const asks = waitsFor('MR_SINK_OUTCOME_UNKNOWN', /was altered since it was started, and refuses a row of it now/);

  for (const [way, { make, undo }] of Object.entries(ways)) {
    it(`V3: ${way}: a person is asked, and Skip leaves it at what is stored`, async () => {
      const name = await create();
      const log = new MemoryLog();
      deepEqual(await written(await open(name), log, two), []);
      await run(make(name));
      asks(await written(await open(name), log, two));
      asks(await written(await open(name), log, two));
      deepEqual(await written(await open(name, 'Skip'), log, two), []);
      deepEqual(await ids(name), [1, 2]);
    });

    it(`V3: ${way}: Repeat makes the row a dead letter, and the next owner asks nobody about it`, async () => {
      const name = await create();
      const log = new MemoryLog();
      await written(await open(name), log, two);
      await run(make(name));
      asks(await written(await open(name), log, two));
      deepEqual(await written(await open(name, 'Repeat'), log, two), [1]);
      deepEqual(await written(await open(name), log, two), [1]);
    });

    it(`V3: ${way} that is gone again: the batch goes on without an answer`, async () => {
      const name = await create();
      const log = new MemoryLog();
      await written(await open(name), log, two);
      await run(make(name));
      asks(await written(await open(name), log, two));
      await run(undo(name));
      deepEqual(await written(await open(name), log, two), []);
      deepEqual(await ids(name), [1, 2]);
    });
  }

  it('V3: nobody is asked about rows that were refused before', async () => {
    const name = await create("id UInt64, v String, CONSTRAINT c CHECK v != 'seven'");
    const log = new MemoryLog();
    deepEqual(await written(await open(name), log, two), [1]);
    await run(`ALTER TABLE ${name} ADD CONSTRAINT d CHECK v != 'eight'`);
    deepEqual(await written(await open(name), log, two), [1]);
    deepEqual(await ids(name), [1]);
  });

  it('V3: nobody is asked about a batch that was never sent', async () => {
    const name = await create();
    const slot = await open(name);
    await run(`ALTER TABLE ${name} ADD CONSTRAINT c CHECK v != 'seven'`);
    deepEqual(await written(slot, new MemoryLog(), two), [1]);
    deepEqual(await ids(name), [1]);
  });

  it('V3: a row of another partition than the refused one of the first attempt', async () => {
    const name = await create("id UInt64, v String, CONSTRAINT c CHECK v != 'seven'", 'PARTITION BY id');
    const log = new MemoryLog();
    deepEqual(await written(await open(name), log, two), [1]);
    await run(`ALTER TABLE ${name} ADD CONSTRAINT d CHECK v != 'a'`);
    asks(await written(await open(name), log, two));
    equal((await ids(name)).length, 1);
  });
});
