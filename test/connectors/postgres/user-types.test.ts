/** Columns of types that users have made: each part of a value means what it means in a column of its own type. */
import { deepEqual, ok } from 'node:assert/strict';
import type pg from 'pg';
import { sink } from '../../../connectors/postgres/index.ts';
import { MillraceError } from '../../../model/errors.ts';
import type { RecordValue } from '../../../model/value.ts';
import { batch, meta, sinkContext, slotId, write } from '../sink-context.ts';
import { withTestPostgres, type TestPostgres } from './test-postgres.ts';

interface Type {
  readonly make: string;
  readonly type: string;
  /** What is stored of a value, as PostgreSQL shows it. */
  readonly kept: readonly (readonly [RecordValue, string])[];
  /** Values that PostgreSQL would take for something else, or for what they are at the time of writing. */
  readonly refused: readonly RecordValue[];
}

const midnight = '2026-01-31 00:00:00';
const types: readonly Type[] = [
  {
    make: 'CREATE TYPE ts_range AS RANGE (subtype = timestamp)',
    type: 'ts_range',
    kept: [
      ['[2026-01-31T12:00:00+05:30,)', '["2026-01-31 06:30:00",)'],
      ['["2026-01-31", 2026-02-01]', `["${midnight}","2026-02-01 00:00:00"]`],
      ['empty', 'empty'],
    ],
    refused: ['[now,)', '[01/02/2026,)', '[today,tomorrow]', '[2026-01-31', '2026-01-31', '', 5, ['2026-01-31', null]],
  },
  {
    make: 'CREATE TYPE tstz_range AS RANGE (subtype = timestamptz)',
    type: 'tstz_multirange',
    kept: [
      [
        '{[2026-01-31,2026-02-01), (2026-03-01,)}',
        '{["2026-01-31 00:00:00+00","2026-02-01 00:00:00+00"),("2026-03-01 00:00:00+00",)}',
      ],
      ['{}', '{}'],
      [' { empty } ', '{}'],
    ],
    refused: ['{[now,)}', '{[2026-01-31,)', '[2026-01-31,)', '{[2026-01-31,),}', '{,}'],
  },
  {
    make: 'CREATE TYPE float_range AS RANGE (subtype = float8)',
    type: 'float_range',
    kept: [['[1.5,2.5)', '[1.5,2.5)']],
    refused: ['[1e400,)', '[0x10,)', '[9007199254740993,)', '[a,b)'],
  },
  {
    make: 'CREATE TYPE oid_range AS RANGE (subtype = oid)',
    type: 'oid_range',
    kept: [['[1,2]', '[1,2]']],
    refused: ['[-1,)', '[0x10,)'],
  },
  {
    make: 'CREATE TYPE interval_range AS RANGE (subtype = interval)',
    type: 'interval_range',
    kept: [['[1 day,P2D]', '["1 day","2 days"]']],
    refused: ['[1,2]', '[-1 day 2:00,)'],
  },
  {
    make: `CREATE TYPE text_range AS RANGE (subtype = text, collation = "C")`,
    type: 'text_range',
    kept: [
      ['[a b,"c,""d\\""]', '["a b","c,""d"""]'],
      ['["",b]', '["",b]'],
      ['[ a,b ]', '[" a","b "]'],
      ['[a{b,c(d]', '[a{b,"c(d"]'],
    ],
    refused: ['[a,b,c]', '[a"b,c]'],
  },
  {
    make: 'CREATE DOMAIN short AS varchar(3); CREATE DOMAIN shorter AS short CHECK (length(VALUE) < 3)',
    type: 'shorter[]',
    kept: [[['ab', null, ''], '{ab,NULL,""}']],
    refused: [['abc '], 'ab'],
  },
  {
    make: 'CREATE DOMAIN cents AS numeric(5,2)[]',
    type: 'cents',
    kept: [[[1.25, '2', null], '{1.25,2.00,NULL}']],
    refused: [[1.234], 1, 'x', { a: 1 }],
  },
  {
    make: 'CREATE DOMAIN days AS date[]; CREATE TYPE trip AS (id smallint, "when" days, at timestamp(0))',
    type: 'trip',
    kept: [
      [{ id: 1, when: ['2026-01-31'], at: '2026-01-31T12:00:00+02:00' }, '(1,{2026-01-31},"2026-01-31 10:00:00")'],
      [[1, null, null], '(1,,)'],
    ],
    refused: [{ id: 70_000 }, { when: ['today'] }, { at: 1_700_000_000_123 }, '(1,{now},now)', [1, 2], 'x'],
  },
  {
    make: 'CREATE TYPE leg AS (km numeric(5,1)); CREATE TYPE route AS (legs leg[], first leg)',
    type: 'route',
    kept: [[{ legs: [{ km: 1.5 }, { km: 2 }], first: { km: 3 } }, '("{(1.5),(2.0)}","(3.0)")']],
    refused: [{ legs: [{ km: 1.55 }] }, { legs: { km: 1 } }, { first: 1 }],
  },
  {
    make: `CREATE TYPE mood AS ENUM ('so, so', 'a"b', 'NULL', '')`,
    type: 'mood',
    kept: [
      ['so, so', 'so, so'],
      ['', ''],
    ],
    refused: [0, true, ['so, so'], 'So, so', { mood: '' }],
  },
  {
    make: `CREATE TYPE tone AS ENUM ('so, so', 'a"b', 'NULL', '')`,
    type: 'tone[]',
    kept: [[['so, so', 'a"b', 'NULL', '', null], '{"so, so","a\\"b","NULL","",NULL}']],
    refused: [[0], 'NULL', [['NULL'], 'NULL']],
  },
  {
    make: 'CREATE TYPE day_range AS RANGE (subtype = date); CREATE DOMAIN future AS day_range',
    type: 'future[]',
    kept: [[['[2026-01-31,2026-02-01]', null], '{"[2026-01-31,2026-02-01]",NULL}']],
    refused: [['[today,)'], '[2026-01-31,)'],
  },
  {
    make: 'CREATE TYPE list_range AS RANGE (subtype = int[])',
    type: 'list_range',
    kept: [['empty', 'empty']],
    refused: ['["{1,2}","{3}"]'],
  },
];

describe('PostgreSQL columns of types that users have made', function () {
  let postgres: TestPostgres;
  let made = 0;

  withTestPostgres(async (started) => {
    postgres = started;
    await run(
      `ALTER DATABASE postgres SET timezone = 'Asia/Tokyo'; ALTER DATABASE postgres SET datestyle = 'SQL, DMY'`,
    );
    await run(`ALTER DATABASE postgres SET intervalstyle = 'sql_standard'`);
  });

  const run = (text: string) => postgres.run(text);

  for (const { make, type, kept, refused } of types) {
    it(`K1: ${type} of ${make}`, async () => {
      const table = `typed${++made}`;
      await run(`${make}; CREATE TABLE ${table} (id int, v ${type})`);
      const config = postgres.config({ table });
      const connected = await sink.connect(config, sinkContext());
      const slot = await connected.open({ ...slotId, stage: table });
      const rows = slot.newRows();
      kept.forEach(([v], id) => rows.add({ id, v }, meta));
      for (const v of refused) {
        try {
          rows.add({ id: -1, v }, meta);
        } catch (error) {
          ok(error instanceof MillraceError && error.code === 'MR_RECORD_MISFIT', String(error));
        }
      }
      await write(slot, rows, batch(0, 1));
      await connected.close();
      const shown = `SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SELECT id, v::text FROM ${table} ORDER BY id`;
      const results: unknown = await postgres.connections.pool.query(shown);
      const { rows: stored } = (results as pg.QueryResult[]).at(-1)!;
      deepEqual(
        stored,
        kept.map(([, v], id) => ({ id, v })),
      );
    });
  }
});
