import { deepEqual, equal, throws } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Sink, SinkSlot } from '../../../connectors/connector.ts';
import { postgresSink } from '../../../connectors/postgres/index.ts';
import { postgresSinkSpec } from '../../../connectors/postgres/spec.ts';
import { freePort } from '../../../local/ports.ts';
import { startPostgres, type Postgres } from '../../../local/postgres/postgres.ts';
import type { RecordObject } from '../../../model/value.ts';
import { decode } from '../../transforms/support/records.ts';
import { batch, meta, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';

const misfit = Symbol('misfit');
/** The server judges, and the row is refused. */
const refused = Symbol('refused');
type Wanted = string | typeof misfit | typeof refused;

/** Each type with what it takes: the text that PostgreSQL shows, a misfit, or a refusal of the server. */
const table: readonly [type: string, cells: readonly (readonly [json: string, Wanted])[]][] = [
  [
    'int2',
    [
      ['-32768', '-32768'],
      ['32768', misfit],
      ['"42"', '42'],
      ['1.0', '1'],
      ['1.5', misfit],
      ['true', misfit],
    ],
  ],
  [
    'int4',
    [
      ['1e3', '1000'],
      ['2147483648', misfit],
      ['""', misfit],
      ['"0x10"', misfit],
    ],
  ],
  [
    'int8',
    [
      ['9223372036854775807', '9223372036854775807'],
      ['9223372036854775808', misfit],
      ['9007199254740993.0', '9007199254740993'],
      ['1e400', misfit],
    ],
  ],
  [
    'numeric',
    [
      ['12345678901234567890.123', '12345678901234567890.123'],
      ['1e23', '100000000000000000000000'],
      ['1e-400', `0.${'0'.repeat(399)}1`],
      ['1e400', `1${'0'.repeat(400)}`],
      ['"NaN"', 'NaN'],
      ['1e200000', refused],
      ['"1,5"', misfit],
    ],
  ],
  [
    'numeric(5,2)',
    [
      ['1.005', '1.01'],
      ['1000', refused],
    ],
  ],
  [
    'float8',
    [
      ['0.1', '0.1'],
      ['-0', '-0'],
      ['1e400', misfit],
      ['1e-400', misfit],
      ['"-Infinity"', '-Infinity'],
      ['"x"', misfit],
    ],
  ],
  [
    'float4',
    [
      ['0.25', '0.25'],
      ['1e39', misfit],
      ['1e-60', misfit],
      ['0e5', '0'],
    ],
  ],
  ['money', [['12.5', '$12.50']]],
  [
    'oid',
    [
      ['7', '7'],
      ['-5000000000', refused],
    ],
  ],
  [
    'regclass',
    [
      ['"pg_class"', 'pg_class'],
      ['"there is none"', refused],
      ['"no_such_table"', refused],
    ],
  ],
  [
    'bool',
    [
      ['true', 'true'],
      ['"FALSE"', 'false'],
      ['"on"', 'true'],
      ['1', misfit],
      ['"maybe"', misfit],
    ],
  ],
  [
    'text',
    [
      ['""', ''],
      ['12', '12'],
      ['{"a":[1e400]}', '{"a":[1e400]}'],
      [String.raw`"\u0000"`, misfit],
      [String.raw`"\\N"`, '\\N'],
    ],
  ],
  [
    'varchar(3)',
    [
      ['"abc"', 'abc'],
      ['"abcd"', refused],
    ],
  ],
  ['char(3)', [['"a"', 'a  ']]],
  ['name', [['"n"', 'n']]],
  ['"char"', [['"c"', 'c']]],
  [
    'bytea',
    [
      [String.raw`"\\x6869"`, String.raw`\x6869`],
      ['"hi"', String.raw`\x6869`],
      ['5', misfit],
    ],
  ],
  [
    'json',
    [
      ['{"b":1,"a":"\\u0000"}', '{"b":1,"a":"\\u0000"}'],
      ['"x"', '"x"'],
      ['1e400', '1e400'],
    ],
  ],
  [
    'jsonb',
    [
      ['{"a":12345678901234567890.5}', '{"a": 12345678901234567890.5}'],
      [String.raw`{"a":["x\u0000"]}`, misfit],
      [String.raw`{"a\u0000":1}`, misfit],
      [String.raw`"\\u0000"`, String.raw`"\\u0000"`],
    ],
  ],
  ['xid8', [['"5"', '5']]],
  [
    'uuid',
    [
      ['"61f0c404-5cb3-11e7-907b-a6006ad3dba0"', '61f0c404-5cb3-11e7-907b-a6006ad3dba0'],
      ['"x"', refused],
      ['5', misfit],
    ],
  ],
  [
    'inet',
    [
      ['"192.0.2.1/24"', '192.0.2.1/24'],
      ['"x"', refused],
    ],
  ],
  ['macaddr', [['"08:00:2b:01:02:03"', '08:00:2b:01:02:03']]],
  [
    'bit(3)',
    [
      ['"101"', '101'],
      ['101', misfit],
    ],
  ],
  ['varbit', [['"1"', '1']]],
  [
    'point',
    [
      ['"(1,2)"', '(1,2)'],
      ['[1,2]', misfit],
    ],
  ],
  ['box', [['"(1,1),(0,0)"', '(1,1),(0,0)']]],
  ['tsvector', [['"a b"', "'a' 'b'"]]],
  ['pg_lsn', [['"0/16"', '0/16']]],
  [
    'int4range',
    [
      ['"[1,5)"', '[1,5)'],
      ['[1,5]', misfit],
    ],
  ],
  ['int4multirange', [['"{[1,5)}"', '{[1,5)}']]],
  ['int2vector', [['"1 2"', '1 2']]],
  [
    'timestamptz',
    [
      ['"2026-01-31T12:34:56Z"', '2026-01-31 12:34:56+00'],
      ['"2026-01-31 12:34:56"', '2026-01-31 12:34:56+00'],
      ['"2026-01-31"', '2026-01-31 00:00:00+00'],
      ['"2026-01-31T12:34:56+05:30"', '2026-01-31 07:04:56+00'],
      ['"2026-01-31 12:00 Europe/Berlin"', '2026-01-31 11:00:00+00'],
      ['"infinity"', 'infinity'],
      ['"now"', misfit],
      ['"Today 10:00"', misfit],
      ['"soon"', refused],
      ['1659386157403', '2022-08-01 20:35:57.403+00'],
      ['1659386157403.862', '2022-08-01 20:35:57.403862+00'],
      ['1659386157403.8621', misfit],
      ['1659386157403862', misfit],
      ['-0.001', '1969-12-31 23:59:59.999999+00'],
      ['-1.5', '1969-12-31 23:59:59.9985+00'],
      ['-62135596800000', '0001-01-01 00:00:00+00'],
      ['-62135596800001', misfit],
      ['253402300799999', '9999-12-31 23:59:59.999+00'],
      ['253402300800000', misfit],
      ['1e400', misfit],
      ['true', misfit],
    ],
  ],
  [
    'timestamp',
    [
      ['"2026-01-31T12:34:56"', '2026-01-31 12:34:56'],
      ['"2026-01-31T12:34:56Z"', '2026-01-31 12:34:56'],
      ['"2026-01-31T12:34:56.1234567-05:00"', '2026-01-31 17:34:56.123457'],
      ['"2026-01-31 12:34:56 +0200"', '2026-01-31 10:34:56'],
      ['1659386157403', '2022-08-01 20:35:57.403'],
    ],
  ],
  [
    'date',
    [
      ['"2026-01-31"', '2026-01-31'],
      ['"2026-02-30"', refused],
      ['20260131', misfit],
      ['1769817600000', misfit],
      ['0', misfit],
    ],
  ],
  [
    'time',
    [
      ['"12:34:56.5"', '12:34:56.5'],
      ['"12:34:56Z"', '12:34:56'],
      ['"12:34:56+05"', misfit],
      ['120000', '00:02:00'],
      ['86399999.999', '23:59:59.999999'],
      ['86400000', misfit],
      ['-1', misfit],
      ['0', '00:00:00'],
    ],
  ],
  [
    'timetz',
    [
      ['"12:34:56+05"', '12:34:56+05'],
      ['1', misfit],
    ],
  ],
  [
    'interval',
    [
      ['"90 min"', '01:30:00'],
      ['120000', misfit],
    ],
  ],
  [
    'text[]',
    [
      ['["a","NULL",null,"q\\"\\\\"]', String.raw`{a,"NULL",NULL,"q\"\\"}`],
      ['[["a"],["b"]]', '{{a},{b}}'],
      ['[["a"],[]]', refused],
      ['"{a}"', misfit],
    ],
  ],
  [
    'int4[]',
    [
      ['[1,null]', '{1,NULL}'],
      ['[1.5]', misfit],
      ['[]', '{}'],
    ],
  ],
  ['jsonb[]', [['[[1],{"a":2}]', String.raw`{[1],"{\"a\": 2}"}`]]],
  ['box[]', [['["(1,1),(0,0)","(2,2),(0,0)"]', '{(1,1),(0,0);(2,2),(0,0)}']]],
  ['timestamptz[]', [['[0]', '{"1970-01-01 00:00:00+00"}']]],
  [
    'flag',
    [
      ['true', 'true'],
      ['1', misfit],
    ],
  ],
  ['payload', [['{"a":1}', '{"a": 1}']]],
  ['tags', [['["a"]', '{a}']]],
  ['moment', [['0', '1970-01-01 00:00:00+00']]],
  [
    'nested_domain',
    [
      ['5', '5'],
      ['-5', refused],
    ],
  ],
  ['tags[]', [['[["a"],["b","c"]]', '{"{a}","{b,c}"}']]],
  [
    'mood',
    [
      ['"ok"', 'ok'],
      ['"odd"', refused],
      ['1', misfit],
    ],
  ],
  ['mood[]', [['["ok"]', '{ok}']]],
  [
    'pair',
    [
      ['{"n":1,"t":"a \\"b\\""}', String.raw`(1,"a ""b""")`],
      ['{"t":""}', '(,"")'],
      ['[1,null]', '(1,)'],
      ['{"n":"x"}', misfit],
      ['5', misfit],
    ],
  ],
  ['pair[]', [['[{"n":1}]', '{"(1,)"}']]],
  [
    'citext',
    [
      ['"A"', 'A'],
      ['1', '1'],
    ],
  ],
  ['hstore', [['"a=>1"', '"a"=>"1"']]],
  ['ltree', [['"a.b"', 'a.b']]],
  [
    'cube',
    [
      ['"(1,2)"', '(1, 2)'],
      ['5', '(5)'],
    ],
  ],
];

describe('PostgreSQL column types', function () {
  let dir: string;
  let postgres: Postgres;
  let pool: pg.Pool;
  const opened: Sink[] = [];
  let slots = 0;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-pgtypes-'));
    postgres = await startPostgres({ dir, port: await freePort() });
    pool = new pg.Pool({ connectionString: postgres.url });
    for (const extension of ['citext', 'hstore', 'ltree', 'cube']) await run(`CREATE EXTENSION ${extension}`);
    await run('CREATE DOMAIN flag AS boolean');
    await run('CREATE DOMAIN payload AS jsonb');
    await run('CREATE DOMAIN tags AS text[]');
    await run('CREATE DOMAIN moment AS timestamptz');
    await run('CREATE DOMAIN positive AS int4 CHECK (VALUE > 0)');
    await run('CREATE DOMAIN nested_domain AS positive');
    await run("CREATE TYPE mood AS ENUM ('ok')");
    await run('CREATE TYPE pair AS (n int, t text)');
    // What the sink writes must not depend on what the database is set to.
    await run("ALTER DATABASE postgres SET timezone = 'Asia/Tokyo'");
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });

  after(async () => {
    await pool.end();
    await postgres.stop();
    await rm(dir, { recursive: true });
  });

  const run = async (text: string) => (await pool.query<pg.QueryResultRow>(text)).rows as Record<string, unknown>[];

  async function openSlot(more: object, copyDefaultsSince?: number): Promise<SinkSlot> {
    const { host, port, username, password } = postgres;
    const config = postgresSinkSpec.parse({ host, port, username, password, ...more });
    const connected = await postgresSink(copyDefaultsSince).connect(config, sinkContext());
    opened.push(connected);
    return connected.open({ ...slotId, stage: `sink-${++slots}` });
  }

  for (const [index, [type, cells]] of table.entries()) {
    it(`${type} stores what it holds, and names or refuses the rest`, async () => {
      const name = `types_${index}`;
      await run(`CREATE TABLE ${name} (n int, v ${type})`);
      const slot = await openSlot({ table: name });
      const buffer = slot.newRows();
      const added: Wanted[] = [];
      for (const [n, [json, wanted]] of cells.entries()) {
        const record = { n, ...decode(`{"v":${json}}`) };
        if (wanted === misfit) throws(() => buffer.add(record, meta), { code: 'MR_RECORD_MISFIT' }, json);
        else {
          buffer.add(record, meta);
          added.push(wanted);
        }
      }
      const problems = await write(slot, buffer, batch(0, 1));
      deepEqual(
        problems.map(({ row }) => row),
        added.flatMap((wanted, row) => (wanted === refused ? [row] : [])),
        problems.map(({ error }) => error.message).join('\n'),
      );
      const client = await pool.connect();
      try {
        await client.query("SET timezone = 'UTC'");
        const { rows } = await client.query<{ v: string }>(`SELECT v::text AS v FROM ${name} ORDER BY n`);
        deepEqual(
          rows.map(({ v }) => (type === 'char(3)' ? v.padEnd(3) : v)),
          added.filter((wanted) => wanted !== refused),
        );
      } finally {
        client.release();
      }
    });
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
