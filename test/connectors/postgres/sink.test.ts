import { deepEqual, match, ok, rejects, throws } from 'node:assert/strict';
import fc from 'fast-check';
import type { Sink, SinkSlot } from '../../../connectors/connector.ts';
import { sink } from '../../../connectors/postgres/index.ts';
import { MillraceError } from '../../../model/errors.ts';
import { ExactNumber, type RecordObject } from '../../../model/value.ts';
import { freePort } from '../../../local/ports.ts';
import { eventually } from '../../support/eventually.ts';
import { batch, meta, noSignal, rowsOf, sinkContext, sinksOfTest, slotId, write } from '../sink-context.ts';
import { withTestPostgres, type TestPostgres } from './test-postgres.ts';

describe('PostgreSQL sink', function () {
  let postgres: TestPostgres;
  const opened = sinksOfTest();
  let stages = 0;

  withTestPostgres((started) => {
    postgres = started;
    postgres.connections.pool.on('error', () => undefined); // The server is killed in one of the tests.
  });

  const config = (more: object) => postgres.config(more);
  const connect = (more: object): Promise<Sink> => sink.connect(config(more), sinkContext());

  async function openSlot(more: object, stage = `sink-${++stages}`) {
    const connected = await connect(more);
    opened.push(connected);
    const slot = await connected.open({ ...slotId, stage });
    if (slot.positionIn !== 'sink') throw new TypeError('PostgreSQL keeps the position');
    return slot;
  }

  const run = (text: string) => postgres.run(text);
  const isCode = (code: string) => (error: unknown) => error instanceof MillraceError && error.code === code;
  const two: readonly RecordObject[] = [
    { id: 1, name: 'a' },
    { id: 2, name: 'b' },
  ];

  describe('position', () => {
    it('X1: moves with the rows, and a slot that is opened again begins there', async () => {
      await run('CREATE TABLE moved (id int, name text)');
      const slot = await openSlot({ table: 'moved' }, 'sink-moved');
      deepEqual(await slot.storedPosition(noSignal), { position: 0, token: '' });
      await write(slot, rowsOf(slot, two), batch(0, 7), noSignal);
      await write(slot, slot.newRows(), batch(7, 9), noSignal);
      const next = await openSlot({ table: 'moved' }, 'sink-moved');
      deepEqual(await next.storedPosition(noSignal), { position: 9, token: batch(7, 9).token });
      deepEqual(await run('SELECT * FROM moved ORDER BY id'), two);
    });

    it('X2: a batch is stored once, however often it is written', async () => {
      await run('CREATE TABLE once (id int, name text)');
      const slot = await openSlot({ table: 'once' });
      for (let attempt = 0; attempt < 3; attempt++) await write(slot, rowsOf(slot, two), batch(0, 5), noSignal);
      deepEqual(await run('SELECT count(*)::int AS n FROM once'), [{ n: 2 }]);
    });

    it('X2: an owner that was overtaken writes nothing and is told so', async () => {
      await run('CREATE TABLE owned (id int, name text)');
      const stale = await openSlot({ table: 'owned' }, 'sink-owned');
      const owner = await openSlot({ table: 'owned' }, 'sink-owned');
      await write(stale, rowsOf(stale, two), batch(0, 5), noSignal);
      await write(owner, rowsOf(owner, two), batch(5, 6), noSignal);
      await rejects(write(stale, rowsOf(stale, two), batch(5, 8), noSignal), isCode('MR_OWNERSHIP_LOST'));
      deepEqual(await run('SELECT count(*)::int AS n FROM owned'), [{ n: 4 }]);
    });

    it('X2: two owners that write the same range at once store it once', async () => {
      await run('CREATE TABLE raced (id int, name text)');
      const slots = await Promise.all([1, 2, 3].map(() => openSlot({ table: 'raced' }, 'sink-raced')));
      const id = (n: number) => ({ ...batch(0, 5), token: `other-${n}` });
      const ends = await Promise.allSettled(slots.map((slot, n) => write(slot, rowsOf(slot, two), id(n), noSignal)));
      deepEqual(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected']);
      deepEqual(await run('SELECT count(*)::int AS n FROM raced'), [{ n: 2 }]);
    });

    it('X2: a batch is stored once when PostgreSQL is killed while it is written', async () => {
      await run('CREATE TABLE killed (id int, name text)');
      const slot = await openSlot({ table: 'killed' });
      const buffer = rowsOf(
        slot,
        Array.from({ length: 20_000 }, (_, id) => ({ id, name: 'x' })),
      );
      for (let round = 0; round < 4; round++) {
        // The kill comes at another moment of the transaction each round.
        const kill = new Promise((resolve) => setTimeout(resolve, round * 10)).then(() => postgres.server.kill());
        const written = write(slot, buffer, batch(round, round + 1), noSignal).catch((error: unknown) => error);
        await kill;
        await written;
        await postgres.server.restart();
        await write(slot, buffer, batch(round, round + 1), noSignal);
        deepEqual(await run('SELECT count(*)::int AS n FROM killed'), [{ n: 20_000 * (round + 1) }]);
      }
    });

    for (const [server, kept] of [
      ['off', 'on'],
      ['local', 'on'],
      ['remote_write', 'on'],
      ['on', 'on'],
      ['remote_apply', 'remote_apply'],
    ] as const) {
      it(`X4: the commit is on disk before it counts, though the database says synchronous_commit = ${server}`, async () => {
        await run(`CREATE TABLE durable_${server} (id int, mode text DEFAULT current_setting('synchronous_commit'))`);
        await run(`ALTER DATABASE postgres SET synchronous_commit = ${server}`);
        try {
          const slot = await openSlot({ table: `durable_${server}` });
          await write(slot, rowsOf(slot, [{ id: 1 }]), batch(0, 1));
          deepEqual(await run(`SELECT mode FROM durable_${server}`), [{ mode: kept }]);
        } finally {
          await run('ALTER DATABASE postgres RESET synchronous_commit');
        }
      });
    }

    it('X5: an attempt that did not come to its COMMIT stored nothing, and says so', async () => {
      await run('CREATE TABLE parted (id int, name text)');
      const slot = await openSlot({ table: 'parted', statementTimeout: '300ms' });
      const holder = await postgres.connections.pool.connect();
      await holder.query('BEGIN; LOCK TABLE parted IN ACCESS EXCLUSIVE MODE');
      const end = await slot.write(rowsOf(slot, two), batch(0, 1), undefined, noSignal).finally(async () => {
        await holder.query('ROLLBACK');
        holder.release();
      });
      deepEqual(end.kind, 'nothing');
    });

    it('X1: nothing of a batch is there after a stop in the middle', async () => {
      await run('CREATE TABLE stopped (id int, name text, CONSTRAINT slow CHECK (pg_sleep(0.2) IS NOT NULL))');
      const slot = await openSlot({ table: 'stopped' });
      const stop = new AbortController();
      const writing = write(slot, rowsOf(slot, two), batch(0, 5), stop.signal);
      const stopped = rejects(writing, /the pod stops/);
      await eventually(async () => {
        const asleep = await run("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        return asleep.length > 0;
      });
      stop.abort(new Error('the pod stops'));
      await stopped;
      deepEqual(await run('SELECT count(*)::int AS n FROM stopped'), [{ n: 0 }]);
      await write(slot, rowsOf(slot, two), batch(0, 5), noSignal);
      deepEqual(await run('SELECT count(*)::int AS n FROM stopped'), [{ n: 2 }]);
    });
  });

  describe('upsert', () => {
    it('replaces the row of a key; within a batch the last record of a key counts', async () => {
      await run('CREATE TABLE stock (sku text, shop int, amount numeric, UNIQUE (shop, sku))');
      const slot = await openSlot({ table: 'stock', upsertKey: ['sku', 'shop'] });
      const first = [
        { sku: 'a', shop: 1, amount: 1 },
        { sku: 'b', shop: 1, amount: 2 },
        { sku: 'a', shop: 1, amount: 3 },
      ];
      await write(slot, rowsOf(slot, first), batch(0, 1), noSignal);
      await write(slot, rowsOf(slot, [{ sku: 'b', shop: 1, amount: 9 }]), batch(1, 2), noSignal);
      deepEqual(await run('SELECT sku, amount::int AS amount FROM stock ORDER BY sku'), [
        { sku: 'a', amount: 3 },
        { sku: 'b', amount: 9 },
      ]);
    });

    it('takes keys for equal when the server does', async () => {
      await run('CREATE TABLE exact (k numeric PRIMARY KEY, v int)');
      const slot = await openSlot({ table: 'exact', upsertKey: ['k'] });
      const rows = [
        { k: new ExactNumber('1.0'), v: 1 },
        { k: 1, v: 2 },
      ];
      await write(slot, rowsOf(slot, rows), batch(0, 1), noSignal);
      deepEqual(await run('SELECT v FROM exact'), [{ v: 2 }]);
    });

    it('refuses a record without its key', async () => {
      await run('CREATE TABLE keyed (k text UNIQUE, v int)');
      const slot = await openSlot({ table: 'keyed', upsertKey: ['k'] });
      throws(() => rowsOf(slot, [{ v: 1 }]), /Field "k" must be present, but is missing/);
    });

    it('A2: without a unique key on the table is unfit, and the hint repairs it', async () => {
      await run('CREATE TABLE loose (k text NOT NULL, v int)');
      const error: unknown = await connect({ table: 'loose', upsertKey: ['k'] }).catch((reason: unknown) => reason);
      ok(error instanceof MillraceError && error.code === 'MR_SINK_TABLE_UNFIT');
      await run(/^Run: (.*)$/.exec(error.fix)![1]!);
      await openSlot({ table: 'loose', upsertKey: ['k'] });
    });
  });

  describe('tombstones', () => {
    type Change = RecordObject | string | null;

    /** A record adds a row; anything else is the key of a tombstone. */
    function rows(slot: SinkSlot, changes: readonly Change[]) {
      const buffer = slot.newRows();
      for (const change of changes) {
        if (typeof change === 'object' && change !== null) buffer.add(change, meta);
        else buffer.remove?.({ ...meta, key: change });
      }
      return buffer;
    }

    it('R4: delete the row of their key; within a batch the last change of a key counts', async () => {
      await run('CREATE TABLE gone (id int PRIMARY KEY, v text NOT NULL)');
      const slot = await openSlot({ table: 'gone', upsertKey: ['id'] });
      await write(
        slot,
        rows(slot, [
          { id: 1, v: 'a' },
          { id: 2, v: 'b' },
          { id: 3, v: 'c' },
        ]),
        batch(0, 1),
      );
      const changes = ['1', { id: 2, v: 'x' }, '2', '{"id":3}', { id: 3, v: 'again' }, '99'];
      for (let attempt = 0; attempt < 2; attempt++) await write(slot, rows(slot, changes), batch(1, 2));
      deepEqual(await run('SELECT * FROM gone'), [{ id: 3, v: 'again' }]);
    });

    for (const key of ['a b', '"a b"', '{"sku":"a b"}']) {
      it(`R4: find a text in the key ${key}`, async () => {
        await run('DROP TABLE IF EXISTS by_text; CREATE TABLE by_text (sku text UNIQUE, n serial)');
        const slot = await openSlot({ table: 'by_text', upsertKey: ['sku'] });
        await write(slot, rows(slot, [{ sku: 'a b' }, { sku: 'c' }]), batch(0, 1));
        await write(slot, rows(slot, [key]), batch(1, 2));
        deepEqual(await run('SELECT sku FROM by_text'), [{ sku: 'c' }]);
      });
    }

    it('R4: of an identity and of several columns', async () => {
      await run('CREATE TABLE pairs (id int GENERATED ALWAYS AS IDENTITY, shop text, v int, PRIMARY KEY (id, shop))');
      const slot = await openSlot({ table: 'pairs', upsertKey: ['id', 'shop'] });
      await write(slot, rows(slot, [{ id: 7, shop: 'a' }, { id: 7, shop: 'b' }, { shop: 'new' }]), batch(0, 1));
      await write(slot, rows(slot, ['{"shop":"a","id":7}']), batch(1, 2));
      deepEqual(await run('SELECT id, shop FROM pairs ORDER BY id'), [
        { id: 1, shop: 'new' },
        { id: 7, shop: 'b' },
      ]);
    });

    it('R4: are misfits without a key, and with one that does not name the row', async () => {
      await run('CREATE TABLE odd_keys (id int, shop text, UNIQUE (id, shop))');
      const slot = await openSlot({ table: 'odd_keys', upsertKey: ['id', 'shop'] });
      for (const key of [null, '5', '{"id":5}', '{"id":5,"shop":null}', '{"id":"x","shop":"a"}']) {
        throws(() => rows(slot, [key]), isCode('MR_RECORD_MISFIT'), String(key));
      }
    });

    it('R4: need the right to delete only when there are any', async () => {
      await postgres.makePositions();
      await run('CREATE TABLE kept_rows (id int PRIMARY KEY)');
      await run("CREATE ROLE writer LOGIN PASSWORD 'writer'");
      await run('GRANT SELECT, INSERT, UPDATE ON kept_rows, millrace_positions TO writer');
      const slot = await openSlot({ table: 'kept_rows', upsertKey: ['id'], username: 'writer', password: 'writer' });
      await write(slot, rows(slot, [{ id: 1 }]), batch(0, 1));
      await rejects(write(slot, rows(slot, ['1']), batch(1, 2)), isCode('MR_SINK_PRIVILEGE_MISSING'));
      await run('GRANT DELETE ON kept_rows TO writer');
      await write(slot, rows(slot, ['1']), batch(1, 2));
      deepEqual(await run('SELECT * FROM kept_rows'), []);
    });
  });

  describe('rows at fault', () => {
    const people = Array.from({ length: 500 }, (_, id) => ({ id, age: id === 17 || id === 340 ? 3 : 30 }));

    for (const [name, key] of [
      ['plain', []],
      ['upsert', ['id']],
    ] as const) {
      it(`X3: are refused one by one, the same ones when the batch is repeated (${name})`, async () => {
        await run(`CREATE TABLE people_${name} (id int PRIMARY KEY, age int CONSTRAINT grown CHECK (age >= 18))`);
        const slot = await openSlot({ table: `people_${name}`, upsertKey: key }, `sink-people-${name}`);
        for (let attempt = 0; attempt < 2; attempt++) {
          const refused = await write(slot, rowsOf(slot, people), batch(0, 1), noSignal);
          deepEqual(
            refused.map(({ row, error }) => [row, error.code]),
            [
              [17, 'MR_RECORD_REFUSED'],
              [340, 'MR_RECORD_REFUSED'],
            ],
          );
          match(refused[0]!.error.message, /check constraint "grown".*\(23514\)/);
        }
        deepEqual(await run(`SELECT count(*)::int AS n FROM people_${name}`), [{ n: 498 }]);
      });
    }

    it('X3: leave no savepoint behind, however many they are', async () => {
      await run(`CREATE FUNCTION nesting() RETURNS bigint LANGUAGE sql VOLATILE AS
        $$ SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CurTransactionContext' $$`);
      await run('CREATE TABLE nested (id int CHECK (id >= 300), depth bigint DEFAULT nesting())');
      const slot = await openSlot({ table: 'nested' });
      const records = Array.from({ length: 301 }, (_, id) => ({ id }));
      const refused = await write(slot, rowsOf(slot, records), batch(0, 1));
      deepEqual([refused.length, await run('SELECT depth < 5 AS flat FROM nested')], [300, [{ flat: true }]]);
    });

    it('X3: are found although the constraint is deferred', async () => {
      await run('CREATE TABLE parents (id int PRIMARY KEY)');
      await run('INSERT INTO parents VALUES (1)');
      await run('CREATE TABLE children (id int, parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED)');
      const slot = await openSlot({ table: 'children' });
      const rows = [
        { id: 1, parent: 1 },
        { id: 2, parent: 2 },
      ];
      const refused = await write(slot, rowsOf(slot, rows), batch(0, 1), noSignal);
      deepEqual(
        refused.map(({ row }) => row),
        [1],
      );
      deepEqual(await run('SELECT id FROM children'), [{ id: 1 }]);
    });

    it('R1: are refused at once when their type says so, and leave the buffer as it was', async () => {
      await run('CREATE TABLE typed (id smallint, name text NOT NULL)');
      const slot = await openSlot({ table: 'typed' });
      const buffer = rowsOf(slot, [{ id: 1, name: 'a' }]);
      const { bytes } = buffer;
      throws(() => buffer.add({ id: 40_000, name: 'b' }, meta), /Field "id" must be an integer from -32768 to 32767/);
      throws(() => buffer.add({ id: 1, name: null }, meta), /Field "name" must be other than null/);
      throws(() => buffer.add({ id: 1, name: 'nul\0' }, meta), /without the character NUL/);
      deepEqual([buffer.bytes, buffer.rows], [bytes, 1]);
      await write(slot, buffer, batch(0, 1), noSignal);
      deepEqual(await run('SELECT * FROM typed'), [{ id: 1, name: 'a' }]);
    });
  });

  describe('the table', () => {
    it('is created when the spec says how', async () => {
      const slot = await openSlot({
        table: 'made',
        upsertKey: ['id'],
        createTable: {
          columns: [
            { name: 'id', type: 'bigint' },
            { name: 'at', type: 'timestamptz not null default now()' },
          ],
          primaryKey: ['id'],
        },
      });
      await write(slot, rowsOf(slot, [{ id: 1 }, { id: 2, at: 0 }]), batch(0, 1), noSignal);
      deepEqual(await run("SELECT id, at = 'epoch' AS epoch FROM made ORDER BY id"), [
        { id: '1', epoch: false },
        { id: '2', epoch: true },
      ]);
    });

    for (const [name, key] of [
      ['plain', []],
      ['upsert', ['name']],
    ] as const) {
      it(`A1, R2: fills what the record leaves out, row by row (${name})`, async () => {
        await run(`CREATE TABLE filled_${name} (n bigserial, g int GENERATED ALWAYS AS (7) STORED,
          i int GENERATED ALWAYS AS IDENTITY, name text UNIQUE, colour text DEFAULT '\\D"' || 'x', seen int)`);
        const slot = await openSlot({ table: `filled_${name}`, upsertKey: key });
        const rows = [
          { name: 'a', other: 1 },
          { name: 'b', colour: null, seen: 1 },
          { name: 'c', colour: '\\D' },
        ];
        await write(slot, rowsOf(slot, rows), batch(0, 1), noSignal);
        deepEqual(await run(`SELECT name, colour, seen, g, n > 0 AS n, i > 0 AS i FROM filled_${name} ORDER BY name`), [
          { name: 'a', colour: '\\D"x', seen: null, g: 7, n: true, i: true },
          { name: 'b', colour: null, seen: 1, g: 7, n: true, i: true },
          { name: 'c', colour: '\\D', seen: null, g: 7, n: true, i: true },
        ]);
      });
    }

    it('that does not exist makes the sink wait, and it goes on when somebody made it', async () => {
      await rejects(connect({ table: 'later' }), isCode('MR_SINK_TABLE_MISSING'));
      await rejects(connect({ table: 'later', schema: 'nowhere' }), isCode('MR_SINK_TABLE_MISSING'));
      await run('CREATE TABLE later (id int)');
      await openSlot({ table: 'later' });
    });

    it('may have any name', async () => {
      await run('CREATE SCHEMA "odd schema"');
      await run('CREATE TABLE "odd schema"."odd "" table" ("odd \'column" int PRIMARY KEY, "Select" text)');
      const table = { schema: 'odd schema', table: 'odd " table' };
      const slot = await openSlot({ ...table, upsertKey: ["odd 'column"] });
      await write(slot, rowsOf(slot, [{ "odd 'column": 1, Select: 'x' }]), batch(0, 1), noSignal);
      deepEqual(await run('SELECT "Select" FROM "odd schema"."odd "" table"'), [{ Select: 'x' }]);
    });
  });

  describe('the way there', () => {
    it('is closed to a wrong password, which is said without the password', async () => {
      await rejects(connect({ table: 'once', password: 'wrong-secret' }), (error) => {
        ok(isCode('MR_SINK_AUTH_REJECTED')(error));
        ok(!String(error).includes('wrong-secret'));
        return true;
      });
    });

    it('that leads nowhere makes the sink wait', async () => {
      await rejects(connect({ table: 'once', port: await freePort() }), isCode('MR_SINK_UNREACHABLE'));
    });

    it('to a database that does not exist makes the sink wait', async () => {
      await rejects(connect({ table: 'once', database: 'absent' }), isCode('MR_SINK_PLACE_MISSING'));
    });

    it('waits for a lock no longer than the spec says', async () => {
      await run('CREATE TABLE locked (id int)');
      const slot = await openSlot({ table: 'locked', statementTimeout: '300ms' });
      const holder = await postgres.connections.pool.connect();
      await holder.query('BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE');
      const writing = write(slot, rowsOf(slot, [{ id: 1 }]), batch(0, 1), noSignal);
      await rejects(writing, isCode('MR_SINK_BUSY')).finally(async () => {
        await holder.query('ROLLBACK');
        holder.release();
      });
      await write(slot, rowsOf(slot, [{ id: 1 }]), batch(0, 1), noSignal);
      deepEqual(await run('SELECT id FROM locked'), [{ id: 1 }]);
    });
  });

  it('T1: any text, number, time and list comes back as it went in', async () => {
    await run(`CREATE TABLE anything (n int, s text, i bigint, f float8, d numeric, b boolean, at timestamptz, j jsonb,
      l text[], m int[], u uuid)`);
    const slot = await openSlot({ table: 'anything' });
    const text = fc.string({ unit: 'binary', maxLength: 60 }).map((s) => s.replaceAll('\0', '').toWellFormed());
    const nested = fc.object({ maxDepth: 2, key: text, values: [text, fc.integer(), fc.boolean(), fc.constant(null)] });
    const record = fc.record({
      s: fc.option(text),
      i: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      f: fc.double({ noNaN: true, noDefaultInfinity: true }),
      d: fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
      b: fc.boolean(),
      at: fc.date({
        min: new Date('0001-01-01T00:00:00Z'),
        max: new Date('9999-12-31T00:00:00Z'),
        noInvalidDate: true,
      }),
      j: nested,
      l: fc.array(fc.option(text), { maxLength: 4 }),
      m: fc.array(fc.integer(), { maxLength: 4 }),
      u: fc.uuid(),
    });
    let round = 0;
    const property = fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 30 }), async (records) => {
      await run('TRUNCATE anything');
      const rows = records.map(({ at, d, j, ...rest }, n) => ({
        ...rest,
        n,
        at: at.getTime(),
        d: new ExactNumber(`${d.toString()}e-7`),
        j: j as RecordObject,
      }));
      round++;
      deepEqual(await write(slot, rowsOf(slot, rows), batch(round, round + 1), noSignal).catch(String), []);
      const actual = await run(`SELECT s, i::text, f, (d * 10000000)::numeric(50)::text AS d, b,
        (extract(epoch from at) * 1000)::bigint::text AS at, j::text, l, m, u FROM anything ORDER BY n`);
      const expected = records.map((one) => ({
        ...one,
        f: one.f === 0 ? 0 : one.f,
        i: one.i.toString(),
        d: one.d.toString(),
        at: String(one.at.getTime()),
        j: JSON.parse(JSON.stringify(one.j)) as unknown,
      }));
      const parsed = (actual as { j: string; f: number }[]).map((one) => ({
        ...one,
        f: one.f === 0 ? 0 : one.f,
        j: JSON.parse(one.j) as unknown,
      }));
      deepEqual(parsed, expected);
    });
    // The first batch begins at position 0.
    await write(slot, slot.newRows(), batch(0, 1), noSignal);
    await fc.assert(property, { numRuns: 60 });
  });
});
