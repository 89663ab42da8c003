/**
 * Z4: a batch of which no row is taken, for a reason that a row or the table may give, and a table that would not take a
 * row of defaults either: on the real engine.
 */
import { deepEqual } from 'node:assert/strict';
import { MemoryLog } from '../../stream/support/memory-log.ts';
import { waitsFor, written } from './owner.ts';
import { tablesOfTest } from './tables.ts';

/** A cipher wants a key of sixteen bytes: another one is BAD_ARGUMENTS, and so is none. */
const encrypted = "encrypt('aes-128-ecb', 'x', k)";
const good = (id: number) => ({ id, k: '0123456789012345' });
const bad = (id: number) => ({ id, k: 'short' });

/** Of rows of one kind only. */
const ofKind = "if(v = 'a', NAMED, '')";

describe('a table that refuses a row of defaults', function () {
  const { run, create, open, ids } = tablesOfTest('strict');

  /** `named`: what a table computes with it. */
  async function dictionary() {
    const names = await create('id UInt64, name String');
    const define = (attribute = 'name String') =>
      run(`CREATE DICTIONARY ${names}_dictionary (id UInt64, ${attribute}) PRIMARY KEY id
        SOURCE(CLICKHOUSE(TABLE '${names}')) LAYOUT(FLAT()) LIFETIME(0)`);
    await define();
    const unchecked = 'check_table_dependencies = 0, check_referential_table_dependencies = 0';
    const drop = () => run(`DROP DICTIONARY ${names}_dictionary SETTINGS ${unchecked}`);
    return { named: `dictGetString('${names}_dictionary', 'name', id)`, define, drop };
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

  // What the table computes needs what is gone: that is no record's fault, whatever other rows say.
  for (const [what, columns, records] of [
    ['of the column', 'd String DEFAULT NAMED', [{ id: 2 }, { id: 3 }]],
    ['of one that reads another', 'c UInt64 DEFAULT id, d String DEFAULT NAMED', [{ id: 2, c: 1 }, { id: 3 }]],
    ['of one that is not stored', 'x String EPHEMERAL NAMED, d String DEFAULT x', [{ id: 2 }, { id: 3 }]],
    ['of one that is computed', 'd String MATERIALIZED NAMED', [{ id: 2 }, { id: 3 }]],
    [
      'for some kinds',
      `d String DEFAULT ${ofKind}`,
      [
        { id: 2, v: 'a' },
        { id: 3, v: 'a' },
      ],
    ],
    [
      'for some kinds, which a constraint hides',
      `d String DEFAULT ${ofKind}, CONSTRAINT c CHECK id > 0`,
      [
        { id: 2, v: 'a' },
        { id: 3, v: 'a' },
      ],
    ],
    [
      'for some kinds, beside others',
      `d String DEFAULT ${ofKind}`,
      [
        { id: 2, v: 'a' },
        { id: 3, v: 'b' },
      ],
    ],
    [
      'for some kinds, computed',
      `d String MATERIALIZED ${ofKind}`,
      [
        { id: 2, v: 'a' },
        { id: 3, v: 'b' },
      ],
    ],
    [
      'for some kinds, of a projection',
      `PROJECTION p (SELECT ${ofKind} AS d, count() GROUP BY d)`,
      [
        { id: 2, v: 'a' },
        { id: 3, v: 'b' },
      ],
    ],
  ] as const) {
    it(`for want of a dictionary, ${what}: the sink waits, also when it has a row, and goes on when it is there again`, async () => {
      const { named, define, drop } = await dictionary();
      const table = await create(`id UInt64, v String, n Float64, j JSON, ${columns.replace('NAMED', named)}`);
      const first = [{ id: 1, v: '\u0000', n: 0.1, j: { a: [1] } }];
      deepEqual(await written(await open(table), new MemoryLog(), first, 1), []);
      await drop();
      const log = new MemoryLog();
      const end = await written(await open(table), log, records, 2);
      waitsFor('MR_SINK_TABLE_UNFIT', /does not fit: Dictionary .* not found: .*Bring it back/)(end);
      await define();
      deepEqual([await written(await open(table), log, records, 2), await ids(table)], [[], [1, 2, 3]]);
    });
  }

  for (const [what, attribute, says] of [
    ['no longer has what is asked for', 'other String', /does not fit: No such attribute 'name'/],
    [
      'has it as another type',
      'name UInt64',
      /does not fit: Function dictGetString dictionary attribute has different/,
    ],
  ] as const) {
    it(`for a dictionary that ${what}: the sink waits, and goes on when it has it again`, async () => {
      const { named, define, drop } = await dictionary();
      const table = await create(`id UInt64, v String, d String DEFAULT ${ofKind.replace('NAMED', named)}`);
      deepEqual(await written(await open(table), new MemoryLog(), [{ id: 1, v: 'b' }], 1), []);
      await drop();
      await define(attribute);
      const log = new MemoryLog();
      waitsFor('MR_SINK_TABLE_UNFIT', says)(await written(await open(table), log, [{ id: 2, v: 'a' }], 2));
      await drop();
      await define();
      deepEqual([await written(await open(table), log, [{ id: 2, v: 'a' }], 2), await ids(table)], [[], [1, 2]]);
    });
  }

  it('for want of a dictionary, of all that it stores: the sink waits', async () => {
    const { named, drop } = await dictionary();
    const table = await create(`id String DEFAULT ${named.replace(', id)', ', toUInt64(1))')}`);
    deepEqual(await written(await open(table), new MemoryLog(), [{}], 1), []);
    await drop();
    const end = await written(await open(table), new MemoryLog(), [{}], 2);
    waitsFor('MR_SINK_TABLE_UNFIT', /does not fit: Dictionary .* not found: /)(end);
  });

  // What the row that it has was given, and what the batch leaves to the table, are two things.
  for (const [what, columns, first, batches] of [
    [
      'would fail with each of its rows',
      `id UInt64, k String DEFAULT toString(id), e String MATERIALIZED ${encrypted}`,
      good(1),
      [[bad(2)], [{ id: 3 }]],
    ],
    [
      'would fail with the row that it has, for which it was given',
      `id UInt64, raw String, n Int32 DEFAULT toInt32(raw), k String, e String MATERIALIZED ${encrypted}`,
      { ...good(1), raw: 'n/a', n: 0 },
      [[{ ...bad(2), raw: '5' }]],
    ],
    [
      'reads a column that is not stored',
      `id UInt64, x String EPHEMERAL, k String DEFAULT x, CONSTRAINT c CHECK ${encrypted} != ''`,
      { id: 1, x: good(1).k },
      [[{ id: 2, x: 'short' }]],
    ],
    [
      'reads a column that is not stored, as all others do',
      `x String EPHEMERAL, id UInt64 DEFAULT 1, k String DEFAULT x, CONSTRAINT c CHECK ${encrypted} != ''`,
      { x: good(1).k },
      [[{ x: 'short' }]],
    ],
    [
      'one of the batch leaves, and another one of another column',
      `id UInt64 DEFAULT 7, k String DEFAULT '', CONSTRAINT c CHECK ${encrypted} != ''`,
      good(1),
      [[{ k: 'short' }], [{ id: 2 }], [{ id: 3 }, { k: 'short' }]],
    ],
    [
      'wants a dictionary that is gone, and that the batch does not leave to it',
      `id UInt64, d String DEFAULT NAMED, k String, e String MATERIALIZED ${encrypted}`,
      { ...good(1), d: '' },
      [[{ ...bad(2), d: '' }]],
    ],
  ] as const) {
    it(`whose DEFAULT ${what}: a record is at fault`, async () => {
      const { named, drop } = await dictionary();
      const table = await create(columns.replace('NAMED', named));
      deepEqual(await written(await open(table), new MemoryLog(), [first], 1), []);
      await drop();
      for (const [n, records] of batches.entries()) {
        deepEqual(
          await written(await open(table), new MemoryLog(), records, n + 2),
          records.map((_, row) => row),
        );
      }
      deepEqual(await ids(table), [1]);
    });
  }

  for (const [what, columns] of [
    ['a column', `id UInt64, x String EPHEMERAL, e String MATERIALIZED encrypt('aes-128-ecb', toString(id), x)`],
    [
      'every column',
      `x String EPHEMERAL, id UInt64 MATERIALIZED 1, e String MATERIALIZED encrypt('aes-128-ecb', toString(rand()), x)`,
    ],
  ] as const) {
    it(`and computes ${what} of what it does not store: the sink waits and says what tells`, async () => {
      const table = await create(columns);
      const record = (id: number, x: string) => (columns.startsWith('id') ? { id, x } : { x });
      deepEqual(await written(await open(table), new MemoryLog(), [record(1, good(1).k)], 1), []);
      const log = new MemoryLog();
      const end = await written(await open(table), log, [record(2, 'short')], 2);
      waitsFor('MR_SINK_ROWS_UNKNOWN', /has none that would tell .* give x \(EPHEMERAL\) a default/s)(end);
      await run(`ALTER TABLE ${table} MODIFY COLUMN x String EPHEMERAL '0123456789012345'`);
      deepEqual(await written(await open(table), log, [record(2, 'short')], 2), [0]);
      deepEqual(await ids(table), [1]);
    });
  }

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
