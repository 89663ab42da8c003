import { deepEqual, equal, throws } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import type { Sink, SinkSlot } from '../../../connectors/connector.ts';
import { postgresSink } from '../../../connectors/postgres/index.ts';
import { postgresSinkSpec } from '../../../connectors/postgres/spec.ts';
import { freePort } from '../../../local/ports.ts';
import { startPostgres, type Postgres } from '../../../local/postgres/postgres.ts';
import type { RecordObject } from '../../../model/value.ts';
import { decode } from '../../transforms/support/records.ts';
import { TestPool } from '../../support/test-pool.ts';
import { batch, meta, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';

describe('PostgreSQL column types', function () {
  let dir: string;
  let postgres: Postgres;
  let connections: TestPool;
  const opened: Sink[] = [];
  let slots = 0;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-pgtypes-'));
    postgres = await startPostgres({ dir, port: await freePort() });
    connections = new TestPool(postgres.url);
    await run('CREATE TYPE pair AS (n int, t text)');
    // What the sink writes must not depend on what the database is set to.
    await run("ALTER DATABASE postgres SET timezone = 'Asia/Tokyo'");
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });

  after(async () => {
    await connections.close();
    await postgres.stop();
    await rm(dir, { recursive: true });
  });

  const run = async (text: string) =>
    (await connections.pool.query<pg.QueryResultRow>(text)).rows as Record<string, unknown>[];

  async function openSlot(more: object, copyDefaultsSince?: number): Promise<SinkSlot> {
    const { host, port, username, password } = postgres;
    const config = postgresSinkSpec.parse({ host, port, username, password, ...more });
    const connected = await postgresSink(copyDefaultsSince).connect(config, sinkContext());
    opened.push(connected);
    return connected.open({ ...slotId, stage: `sink-${++slots}` });
  }

  it('K1: every type of pg_catalog that a column may have takes a text by its own input function', async () => {
    const types = await run(
      `SELECT format_type(t.oid, NULL) AS type FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
       LEFT JOIN pg_type e ON e.oid = t.typelem
       WHERE n.nspname = 'pg_catalog' AND coalesce(e.typtype, 'b') NOT IN ('p', 'c') AND t.typtype IN ('b', 'r', 'm', 'd') AND t.typisdefined
         AND t.typcategory <> 'Z' AND t.typname NOT IN ('gtsvector', 'pg_node_tree') ORDER BY 1`,
    );
    const columns = types.map(({ type }, i) => `"c${i}" ${String(type)}`);
    await run(`CREATE TABLE every_type (id int, ${columns.join(', ')})`);
    const slot = await openSlot({ table: 'every_type' });
    const buffer = rowsOf(slot, [{ id: 1 }]);
    let judged = 0;
    for (let i = 0; i < columns.length; i++) {
      try {
        buffer.add({ id: i + 2, [`c${i}`]: '0' }, meta);
        judged++;
      } catch (error) {
        equal(error instanceof Error && 'code' in error && error.code, 'MR_RECORD_MISFIT', columns[i]);
      }
    }
    const problems = await write(slot, buffer, batch(0, 1));
    equal(problems.length < judged, true);
    deepEqual(await run('SELECT id FROM every_type WHERE id = 1'), [{ id: 1 }]);
  });

  describe('columns that the server can fill', () => {
    for (const [what, since] of [
      ['COPY with a marker for defaults', undefined],
      ['COPY as before PostgreSQL 16', 990_000],
    ] as const) {
      const suffix = since === undefined ? 'new' : 'old';

      for (const kind of ['BY DEFAULT', 'ALWAYS']) {
        it(`A1: an identity GENERATED ${kind} takes the record's number, and counts without one (${what})`, async () => {
          const name = `identity_${suffix}_${kind.slice(0, 2).toLowerCase()}`;
          await run(`CREATE TABLE ${name} (id bigint GENERATED ${kind} AS IDENTITY PRIMARY KEY, v text)`);
          const slot = await openSlot({ table: name }, since);
          await write(slot, rowsOf(slot, [{ id: 100, v: 'a' }, { v: 'b' }, { id: 200, v: 'c' }]), batch(0, 1));
          deepEqual(await run(`SELECT id::int, v FROM ${name} ORDER BY v`), [
            { id: 100, v: 'a' },
            { id: 1, v: 'b' },
            { id: 200, v: 'c' },
          ]);
        });

        it(`A1: an identity GENERATED ${kind} is the key of an upsert (${what})`, async () => {
          const name = `keyed_${suffix}_${kind.slice(0, 2).toLowerCase()}`;
          await run(`CREATE TABLE ${name} (id bigint GENERATED ${kind} AS IDENTITY PRIMARY KEY, v text)`);
          const slot = await openSlot({ table: name, upsertKey: ['id'] }, since);
          const records = [{ id: 100, v: 'a' }, { v: 'new' }, { id: 100, v: 'b' }, { v: 'new' }];
          await write(slot, rowsOf(slot, records), batch(0, 1));
          await write(slot, rowsOf(slot, [{ id: 100, v: 'c' }]), batch(1, 2));
          deepEqual(await run(`SELECT id::int, v FROM ${name} ORDER BY id`), [
            { id: 1, v: 'new' },
            { id: 2, v: 'new' },
            { id: 100, v: 'c' },
          ]);
        });
      }

      it(`M1: an upsert by another key keeps a number that the record does not have (${what})`, async () => {
        const name = `numbered_${suffix}`;
        await run(`CREATE TABLE ${name} (id int GENERATED BY DEFAULT AS IDENTITY, n serial, sku text UNIQUE, v int,
          d text DEFAULT 'none')`);
        const slot = await openSlot({ table: name, upsertKey: ['sku'] }, since);
        await write(
          slot,
          rowsOf(slot, [
            { sku: 'a', v: 1 },
            { sku: 'b', id: 50, n: 60, v: 1, d: 'own' },
          ]),
          batch(0, 1),
        );
        const again = [
          { sku: 'a', id: 7, v: 2 },
          { sku: 'a', v: 3, d: null },
          { sku: 'b', v: 2 },
          { sku: 'c', n: 9 },
        ];
        await write(slot, rowsOf(slot, again), batch(1, 2));
        deepEqual(await run(`SELECT sku, id, n, v, d FROM ${name} WHERE sku <> 'c' ORDER BY sku`), [
          { sku: 'a', id: 1, n: 1, v: 3, d: null },
          { sku: 'b', id: 50, n: 60, v: 2, d: 'none' },
        ]);
        deepEqual(await run(`SELECT n, v, d FROM ${name} WHERE sku = 'c'`), [{ n: 9, v: null, d: 'none' }]);
      });

      it(`R2: the default of a column, of a domain and of a sequence fills what is missing (${what})`, async () => {
        await run(`CREATE DOMAIN colour_${suffix} AS text DEFAULT 'red'`);
        await run(`CREATE TABLE defaults_${suffix} (n bigserial, a int DEFAULT 7, c colour_${suffix}, v text)`);
        const slot = await openSlot({ table: `defaults_${suffix}` }, since);
        await write(slot, rowsOf(slot, [{ v: 'x' }, { v: 'y', n: 9, a: null, c: 'blue' }]), batch(0, 1));
        deepEqual(await run(`SELECT n::int, a, c, v FROM defaults_${suffix} ORDER BY v`), [
          { n: 1, a: 7, c: 'red', v: 'x' },
          { n: 9, a: null, c: 'blue', v: 'y' },
        ]);
      });
    }

    it('R2: a generated column is a misfit for a record that has the field, and nothing when it is null', async () => {
      await run(
        'CREATE TABLE computed (id int, twice int GENERATED ALWAYS AS (id * 2) STORED, half int GENERATED ALWAYS AS (id / 2) VIRTUAL)',
      );
      const slot = await openSlot({ table: 'computed' });
      const buffer = rowsOf(slot, [{ id: 2 }, { id: 4, twice: null }]);
      throws(
        () => buffer.add({ id: 1, twice: 2 }, meta),
        /"twice" must be absent, because PostgreSQL computes the column/,
      );
      throws(() => buffer.add({ id: 1, half: 2 }, meta), /"half" must be absent/);
      await write(slot, buffer, batch(0, 1));
      deepEqual(await run('SELECT * FROM computed ORDER BY id'), [
        { id: 2, twice: 4, half: 1 },
        { id: 4, twice: 8, half: 2 },
      ]);
    });

    it('R2: an identity GENERATED ALWAYS that is not the key of an upsert is a misfit for a record that has it', async () => {
      await run('CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY, sku text UNIQUE)');
      const slot = await openSlot({ table: 'always', upsertKey: ['sku'] });
      throws(() => rowsOf(slot, [{ id: 5, sku: 'a' }]), /"id" must be absent, because an upsert cannot replace/);
      await write(slot, rowsOf(slot, [{ sku: 'a' }]), batch(0, 1));
      deepEqual(await run('SELECT * FROM always'), [{ id: 1, sku: 'a' }]);
    });

    it('a column with a name of the prototype is null unless the record has the field', async () => {
      await run('CREATE TABLE odd_names (n int, "__proto__" text, "constructor" text)');
      const slot = await openSlot({ table: 'odd_names' });
      const records: RecordObject[] = [{ n: 1 }, decode('{"n":2,"__proto__":"p","constructor":"c"}')];
      await write(slot, rowsOf(slot, records), batch(0, 1));
      const rows = await run('SELECT "__proto__" AS p, "constructor" AS c FROM odd_names ORDER BY n');
      deepEqual(rows, [
        { p: null, c: null },
        { p: 'p', c: 'c' },
      ]);
    });

    it('a member that a step removed is absent in json and in a composite', async () => {
      await run('CREATE TABLE absent (j jsonb, p pair)');
      const slot = await openSlot({ table: 'absent' });
      await write(slot, rowsOf(slot, [{ j: { keep: 1, gone: undefined }, p: { n: undefined, t: 'x' } }]), batch(0, 1));
      deepEqual(await run('SELECT j::text, p::text FROM absent'), [{ j: '{"keep": 1}', p: '(,x)' }]);
    });
  });
});
