/**
 * A batch that is stored, whose answer was lost, and whose table refuses a row of it since then: on the real engine. The
 * row is in the table, so it must not become a dead letter because somebody wants no more rows like it.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { MemoryLog } from '../../stream/support/memory-log.ts';
import { waitsFor, written } from './owner.ts';
import { tablesOfTest } from './tables.ts';

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
  const { run, create, open, ids } = tablesOfTest('stricter');
  const columns = 'id UInt64, v String';

  const asks = waitsFor('MR_SINK_OUTCOME_UNKNOWN', /was altered since it was started, and refuses a row of it now/);

  for (const [way, { make, undo }] of Object.entries(ways)) {
    it(`V3: ${way}: a person is asked, and Skip leaves it at what is stored`, async () => {
      const name = await create(columns);
      const log = new MemoryLog();
      deepEqual(await written(await open(name), log, two), []);
      await run(make(name));
      asks(await written(await open(name), log, two));
      asks(await written(await open(name), log, two));
      deepEqual(await written(await open(name, { onUncertain: 'Skip' }), log, two), []);
      deepEqual(await ids(name), [1, 2]);
    });

    it(`V3: ${way}: Repeat makes the row a dead letter, and the next owner asks nobody about it`, async () => {
      const name = await create(columns);
      const log = new MemoryLog();
      await written(await open(name), log, two);
      await run(make(name));
      asks(await written(await open(name), log, two));
      deepEqual(await written(await open(name, { onUncertain: 'Repeat' }), log, two), [1]);
      deepEqual(await written(await open(name), log, two), [1]);
    });

    it(`V3: ${way} that is gone again: the batch goes on without an answer`, async () => {
      const name = await create(columns);
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
    const name = await create(columns);
    const slot = await open(name);
    await run(`ALTER TABLE ${name} ADD CONSTRAINT c CHECK v != 'seven'`);
    deepEqual(await written(slot, new MemoryLog(), two), [1]);
    deepEqual(await ids(name), [1]);
  });

  const partitioned = 'MergeTree PARTITION BY intDiv(id, 100) ORDER BY id';
  const altered: Readonly<Record<string, readonly [columns: string, alter: string]>> = {
    'a CONSTRAINT': [columns, "ADD CONSTRAINT c CHECK v != 'seven'"],
    'a comment': [`${columns}, CONSTRAINT c CHECK v != 'seven'`, "MODIFY COMMENT 'new'"],
  };
  for (const [what, [before, alter]] of Object.entries(altered)) {
    it(`V3: nobody is asked about a first attempt in several partitions, just after ${what} was added, and Skip drops nothing`, async () => {
      const name = await create(before, partitioned);
      const log = new MemoryLog();
      const slot = await open(name, { onUncertain: 'Skip' });
      await run(`ALTER TABLE ${name} ${alter}`);
      const three = [...two, { id: 300, v: 'b' }];
      deepEqual(await written(slot, log, three), [1]);
      deepEqual(await ids(name), [1, 300]);
      deepEqual(await written(await open(name), log, three), [1]);
    });
  }

  it('V3: a row of another partition than the refused one of the first attempt', async () => {
    const name = await create(
      "id UInt64, v String, CONSTRAINT c CHECK v != 'seven'",
      'MergeTree PARTITION BY id ORDER BY id',
    );
    const log = new MemoryLog();
    deepEqual(await written(await open(name), log, two), [1]);
    await run(`ALTER TABLE ${name} ADD CONSTRAINT d CHECK v != 'a'`);
    asks(await written(await open(name), log, two));
    equal((await ids(name)).length, 1);
  });
});
