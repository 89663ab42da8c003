/** Tables that change while a sink writes to them. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import type { ClickHouseClient } from '@clickhouse/client';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import type { Sink, SinkContext, SinkSlot } from '../../../connectors/connector.ts';
import { MillraceError } from '../../../model/errors.ts';
import type { RecordObject } from '../../../model/value.ts';
import type { ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { MemoryLog } from '../../stream/support/memory-log.ts';
import { batch, noSignal, rowsOf, sinkContext, sinksOfTest, slotId, write } from '../sink-context.ts';
import { written } from './owner.ts';
import { withTestClickHouse } from './test-clickhouse.ts';

interface Change {
  readonly columns: string;
  readonly alter: string;
  readonly record: RecordObject;
  /** The row of a record that is written before the change and of one that is written after it. */
  readonly rows: readonly [unknown, unknown];
}

const d = (type: string) => `id UInt64, v ${type}, w String DEFAULT 'x'`;
const changes: Readonly<Record<string, Change>> = {
  'a Decimal of a smaller scale': {
    columns: d('Decimal(18, 4)'),
    alter: 'MODIFY COLUMN v Decimal(18, 2)',
    record: { v: 1.25 },
    rows: [{ v: '1.25' }, { v: '1.25' }],
  },
  'a String that becomes Nullable': {
    columns: d('String'),
    alter: 'MODIFY COLUMN v Nullable(String)',
    record: { v: 'abc' },
    rows: [{ v: 'abc' }, { v: 'abc' }],
  },
  'a wider number': {
    columns: d('UInt32'),
    alter: 'MODIFY COLUMN v UInt64',
    record: { v: 5 },
    rows: [{ v: '5' }, { v: '5' }],
  },
  'another kind of number': {
    columns: d('UInt32'),
    alter: 'MODIFY COLUMN v Float32',
    record: { v: 5 },
    rows: [{ v: '5' }, { v: '5' }],
  },
  'a finer time': {
    columns: d("DateTime64(3, 'UTC')"),
    alter: "MODIFY COLUMN v DateTime64(6, 'UTC')",
    record: { v: '2026-01-31T00:00:00.123Z' },
    rows: [{ v: '2026-01-31 00:00:00.123000' }, { v: '2026-01-31 00:00:00.123000' }],
  },
  'another type, in a table without defaults': {
    columns: 'id UInt64, v Decimal(18, 4)',
    alter: 'MODIFY COLUMN v Decimal(18, 2)',
    record: { v: 1.25 },
    rows: [{ v: '1.25' }, { v: '1.25' }],
  },
  'a column that is added': {
    columns: 'id UInt64',
    alter: 'ADD COLUMN v String',
    record: { v: 'a' },
    rows: [{ v: '' }, { v: 'a' }],
  },
  'a column that is added beside a default': {
    columns: "id UInt64, w String DEFAULT 'x'",
    alter: 'ADD COLUMN v String',
    record: { v: 'a' },
    rows: [{ v: '' }, { v: 'a' }],
  },
  'a default that is added': {
    columns: 'id UInt64, v UInt8',
    alter: 'MODIFY COLUMN v UInt8 DEFAULT 7',
    record: {},
    rows: [{ v: '0' }, { v: '7' }],
  },
};

describe('a table that changes while the sink runs', function () {
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  let now = 0;
  const opened = sinksOfTest();

  withTestClickHouse((connected, started) => {
    client = connected;
    clickhouse = started;
  });

  const windowed = 'ENGINE = MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 1000';
  const run = (query: string) => client.command({ query });
  const context = (): SinkContext => ({ ...sinkContext(), clock: { ...sinkContext().clock, now: () => now } });
  const isCode = (code: string) => (error: unknown) => error instanceof MillraceError && error.code === code;

  async function open(table: string, columns: string): Promise<Sink> {
    await run(`CREATE TABLE ${table} (${columns}) ${windowed}`);
    const connected = await sink.connect(clickhouseSinkSpec.parse({ url: clickhouse.url, table }), context());
    opened.push(connected);
    return connected;
  }

  /** As the loop does it before it begins a batch. */
  const mark = (slot: SinkSlot) => (slot.positionIn === 'commitLog' ? slot.mark(noSignal) : null);

  let made = 0;
  for (const [what, { columns, alter, record, rows }] of Object.entries(changes)) {
    it(`X4: ${what}: no row is written for the old columns, and the next run goes on with the new ones`, async () => {
      const table = `altered${++made}`;
      const connected = await open(table, columns);
      const slot = await connected.open(slotId);
      await write(slot, rowsOf(slot, [{ id: 1, ...record }]), batch(0, 1));
      await run(`ALTER TABLE ${table} ${alter}`);
      // A batch that is begun in the moment in which the table changes.
      const late = await slot.write(rowsOf(slot, [{ id: 2, ...record }]), batch(1, 2), undefined, noSignal);
      now += 2_000;
      const isWritten = late.kind === 'stored';
      if (columns.includes('DEFAULT')) equal(late.kind, 'nothing');
      else ok(isWritten || late.kind === 'nothing');
      await rejects(async () => mark(slot), isCode('MR_SINK_TABLE_CHANGED'));
      await slot.close();
      const next = await connected.open(slotId);
      await mark(next);
      const id = isWritten ? batch(2, 3) : batch(1, 2);
      await write(next, rowsOf(next, [{ id: 3, ...record }]), id);
      const query = `SELECT toString(v) AS v FROM ${table} WHERE id != 2 ORDER BY id`;
      deepEqual(await (await client.query({ query, format: 'JSONEachRow' })).json(), rows);
    });
  }

  it('X4: a batch that may be stored is not repeated with columns that the table no longer has', async () => {
    const connected = await open('begun', d('UInt32'));
    const slot = await connected.open(slotId);
    await run('ALTER TABLE begun MODIFY COLUMN v UInt64');
    ok(slot.positionIn === 'commitLog');
    const begun = { mark: null, ageMs: 0, rows: 1, changed: undefined };
    await rejects(slot.mayRepeat(batch(0, 1), begun, noSignal), isCode('MR_SINK_TABLE_CHANGED'));
  });

  it('X4: records none of which fits show that the table has changed, too', async () => {
    const connected = await open('narrow', 'id UInt64, v UInt32');
    const slot = await connected.open(slotId);
    const log = new MemoryLog();
    const records = [{ id: 1, v: 'one' }];
    deepEqual(await written(slot, log, records), []);
    equal(log.last, undefined);
    await run('ALTER TABLE narrow MODIFY COLUMN v String');
    now += 2_000;
    await rejects(written(slot, log, records), isCode('MR_SINK_TABLE_CHANGED'));
    await written(await connected.open(slotId), log, records);
    const rows = await client.query({ query: 'SELECT v FROM narrow', format: 'JSONEachRow' });
    deepEqual(await rows.json(), [{ v: 'one' }]);
  });

  it('X4: a table that was made anew is checked like a new one', async () => {
    const connected = await open('anew', 'id UInt64');
    const slot = await connected.open(slotId);
    await run('DROP TABLE anew SYNC');
    await run('CREATE TABLE anew (id UInt64) ENGINE = MergeTree ORDER BY id');
    now += 2_000;
    await rejects(async () => mark(slot), isCode('MR_SINK_TABLE_CHANGED'));
    await rejects(connected.open(slotId), isCode('MR_SINK_TABLE_UNFIT'));
  });

  it('X4: a view that is added has its say about rows', async () => {
    const connected = await open('watched', 'id UInt64, v String');
    const slot = await connected.open(slotId);
    await run(`CREATE TABLE numbers (id UInt64, n UInt64) ${windowed}`);
    await run('CREATE MATERIALIZED VIEW numbered TO numbers AS SELECT id, toUInt64(v) AS n FROM watched');
    now += 2_000;
    await rejects(async () => mark(slot), isCode('MR_SINK_TABLE_CHANGED'));
    const next = await connected.open(slotId);
    const records = [
      { id: 1, v: 'x' },
      { id: 2, v: '2' },
    ];
    deepEqual(
      (await write(next, rowsOf(next, records), batch(0, 1))).map(({ row }) => row),
      [0],
    );
    await next.close();
  });

  const stricter: Readonly<Record<string, string>> = {
    'the query of a view': 'TABLE $_view MODIFY QUERY SELECT id, toUInt64(v) AS n FROM $',
    'a constraint of the table that a view writes to': 'TABLE $_to ADD CONSTRAINT c CHECK n != 7',
    'a TTL of the table that a view writes to':
      'TABLE $_to MODIFY TTL toDateTime(if(throwIf(n = 7), n, 1)) + INTERVAL 200 YEAR SETTINGS materialize_ttl_after_modify = 0',
    'a column of the table that a view writes to': 'TABLE $_to ADD COLUMN m UInt8 DEFAULT throwIf(n = 7)',
    'a DEFAULT of the table': "TABLE $ MODIFY COLUMN m UInt8 DEFAULT throwIf(v = 'x')",
  };
  for (const [what, alter] of Object.entries(stricter)) {
    it(`X4: ${what} that becomes stricter: a row that it refuses is in no table`, async () => {
      const table = `stricter${++made}`;
      const connected = await open(table, 'id UInt64, v String, m UInt8 DEFAULT 0');
      await run(`CREATE TABLE ${table}_to (id UInt64, n UInt64) ${windowed}`);
      await run(
        `CREATE MATERIALIZED VIEW ${table}_view TO ${table}_to AS SELECT id, toUInt64OrDefault(v, toUInt64(7)) AS n FROM ${table}`,
      );
      const first = await connected.open(slotId);
      await write(first, rowsOf(first, [{ id: 1, v: '1' }]), batch(0, 1));
      await run(`ALTER ${alter.replaceAll('$', table)}`);
      const records = [
        { id: 2, v: '2' },
        { id: 3, v: 'x' },
      ];
      // In the moment in which the table changes: the second in which nothing is looked at again.
      const refused = await write(first, rowsOf(first, records), batch(1, 2));
      const query = `SELECT groupArray(toUInt32(id)) AS ids FROM (SELECT id FROM ${table} ORDER BY id) UNION ALL SELECT groupArray(toUInt32(id)) FROM (SELECT id FROM ${table}_to ORDER BY id)`;
      const rows = await (await client.query({ query, format: 'JSONEachRow' })).json();
      deepEqual([refused.map(({ row }) => row), rows], [[1], [{ ids: [1, 2] }, { ids: [1, 2] }]]);
      now += 2_000;
      await rejects(async () => mark(first), isCode('MR_SINK_TABLE_CHANGED'));
      await first.close();
    });
  }
});
