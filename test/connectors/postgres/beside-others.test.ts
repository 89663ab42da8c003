/** Rows that are right only beside other rows of their batch, in a batch that has wrong ones. */
import { deepEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { sink } from '../../../connectors/postgres/index.ts';
import type { RecordObject } from '../../../model/value.ts';
import { batch, meta, sinkContext, slotId, write } from '../sink-context.ts';
import { withTestPostgres, type TestPostgres } from './test-postgres.ts';

interface Case {
  readonly columns: string;
  readonly before?: string;
  readonly upsertKey?: readonly string[];
  /** A text is a tombstone's key. */
  readonly records: readonly (RecordObject | string)[];
  readonly refused: readonly number[];
  readonly ids: readonly number[];
}

const family = 'id int PRIMARY KEY, parent int REFERENCES T DEFERRABLE INITIALLY DEFERRED, v int CHECK (v > 0)';
const strict = 'id int PRIMARY KEY, parent int REFERENCES T, v int CHECK (v > 0)';
const child = { id: 1, parent: 4, v: 1 };
const bad = { id: 2, parent: null, v: -1 };
const orphan = { id: 3, parent: 99, v: 1 };
const parent = { id: 4, parent: null, v: 1 };
const cases: Readonly<Record<string, Case>> = {
  'a child before its parent, and a wrong row between': {
    columns: family,
    records: [child, bad, parent],
    refused: [1],
    ids: [1, 4],
  },
  'a constraint that is not deferrable': { columns: strict, records: [child, bad, parent], refused: [1], ids: [1, 4] },
  'a child whose parent is nowhere': { columns: family, records: [child, orphan, parent], refused: [1], ids: [1, 4] },
  'children of what is refused': {
    columns: family,
    records: [{ id: 1, parent: 2, v: 1 }, bad, { id: 5, parent: 1, v: 1 }, parent],
    refused: [0, 1, 2],
    ids: [4],
  },
  'two that refer to each other, and a wrong row between': {
    columns: family,
    records: [{ id: 1, parent: 4, v: 1 }, bad, { id: 4, parent: 1, v: 1 }],
    refused: [1],
    ids: [1, 4],
  },
  'an upsert by key': { columns: family, upsertKey: ['id'], records: [child, bad, parent], refused: [1], ids: [1, 4] },
  'a deferred constraint trigger': {
    before: `CREATE FUNCTION T_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.parent IS NOT NULL AND NOT EXISTS (SELECT FROM T WHERE id = NEW.parent) THEN RAISE 'no %', NEW.parent; END IF;
      RETURN NULL; END $$`,
    columns: 'id int PRIMARY KEY, parent int, v int CHECK (v > 0)',
    records: [child, bad, orphan, parent],
    refused: [1, 2],
    ids: [1, 4],
  },
  'a deferred unique key that is taken': {
    columns: 'id int UNIQUE DEFERRABLE INITIALLY DEFERRED, v int',
    records: [{ id: 1 }, { id: 2 }, { id: 1 }, { id: 3 }],
    refused: [2],
    ids: [1, 2, 3],
  },
  'values of a deferred unique column that change places': {
    before: '',
    columns: 'id int PRIMARY KEY, u int UNIQUE DEFERRABLE INITIALLY DEFERRED, v int CHECK (v > 0)',
    upsertKey: ['id'],
    records: [{ id: 7, u: 1, v: 1 }, { id: 7, u: 2, v: 1 }, bad, { id: 8, u: 1, v: 1 }],
    refused: [2],
    ids: [7, 8],
  },
  'a parent that goes before its child': {
    columns: family,
    upsertKey: ['id'],
    records: [parent, child, '4', bad, '1', { id: 9, v: 1 }],
    refused: [3],
    ids: [9],
  },
};

describe('a row that is right only beside others', function () {
  let postgres: TestPostgres;
  let made = 0;

  withTestPostgres((started) => void (postgres = started));

  const run = (text: string) => postgres.run(text);

  async function outcome(table: string, upsertKey: readonly string[], records: readonly (RecordObject | string)[]) {
    const config = postgres.config({ table, upsertKey });
    const connected = await sink.connect(config, sinkContext());
    const slot = await connected.open({ ...slotId, stage: table });
    const rows = slot.newRows();
    for (const record of records) {
      if (typeof record === 'string') rows.remove?.({ ...meta, key: record });
      else rows.add(record, meta);
    }
    const refused = await write(slot, rows, batch(0, 1));
    deepEqual(await write(slot, rows, batch(0, 1)), refused);
    await connected.close();
    return refused.map(({ row }) => row);
  }

  for (const [what, { before, columns, upsertKey = [], records, refused, ids }] of Object.entries(cases)) {
    it(`W2: is stored, once, and the wrong ones are dead letters: ${what}`, async () => {
      const table = `beside${++made}`;
      const mine = (text: string) => text.replaceAll(/\bT(?=\b|_)/g, table);
      await run(`CREATE TABLE ${table} (${mine(columns)})`);
      if (before !== undefined && before !== '') {
        await run(`${mine(before)}; CREATE CONSTRAINT TRIGGER g AFTER INSERT ON ${table} DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION ${table}_f()`);
      }
      deepEqual(await outcome(table, upsertKey, records), refused);
      deepEqual(
        (await run(`SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id),
        ids,
      );
    });
  }

  it('W2: of several rows with a key the last one that is taken counts, whenever it was taken', async () => {
    await run('CREATE TABLE latest (id int PRIMARY KEY, parent int REFERENCES latest, v int CHECK (v > 0))');
    const records = [
      { id: 1, parent: 4, v: 1 },
      bad,
      { id: 1, parent: null, v: 2 },
      { id: 5, parent: 4, v: 1 },
      { id: 5, parent: 6, v: 2 },
      { id: 4, v: 1 },
      { id: 6, v: 1 },
    ];
    deepEqual(await outcome('latest', ['id'], records), [1]);
    deepEqual(await run('SELECT id, parent, v FROM latest WHERE id IN (1, 5) ORDER BY id'), [
      { id: 1, parent: null, v: 2 },
      { id: 5, parent: 6, v: 2 },
    ]);
  });

  it('W2: trees in any order with wrong rows among them: all that can be stored is', async () => {
    const tree = fc
      .uniqueArray(
        fc.record({ id: fc.integer({ min: 1, max: 40 }), v: fc.integer({ min: -1, max: 5 }), to: fc.nat(60) }),
        {
          selector: ({ id }) => id,
          minLength: 1,
          maxLength: 40,
        },
      )
      // A parent has a smaller number, or is nowhere.
      .map((all) =>
        all.map(({ id, v, to }) => ({ id, v, parent: to % 3 === 0 ? null : to >= 40 ? 99 : to % id || null })),
      );
    await fc.assert(
      fc.asyncProperty(tree, async (records) => {
        const table = `tree${++made}`;
        await run(`CREATE TABLE ${table} (id int PRIMARY KEY, parent int REFERENCES ${table}, v int CHECK (v >= 0))`);
        const kept = new Set<number>();
        for (const { id, parent: of, v } of records.toSorted((a, b) => a.id - b.id)) {
          if (v >= 0 && (of === null || kept.has(of))) kept.add(id);
        }
        const refused = await outcome(table, [], records);
        deepEqual(
          refused,
          records.flatMap(({ id }, row) => (kept.has(id) ? [] : [row])),
        );
        deepEqual(
          (await run(`SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id),
          [...kept].sort((a, b) => a - b),
        );
      }),
      { numRuns: 25 },
    );
  });
});
