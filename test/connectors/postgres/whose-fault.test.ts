/** Whose fault an error of a statement is: a row's, which becomes a dead letter, or the database's, which is waited for. */
import { deepEqual, ok } from 'node:assert/strict';
import { sink } from '../../../connectors/postgres/index.ts';
import { MillraceError } from '../../../model/errors.ts';
import type { RecordObject } from '../../../model/value.ts';
import { batch, noSignal, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';
import { startForeignWords, type ForeignWords } from './foreign-words.ts';
import { withTestPostgres, type TestPostgres } from './test-postgres.ts';

for (const language of ['', ' that speaks another language'])
  describe(`an error of a PostgreSQL${language}`, function () {
    let postgres: TestPostgres;
    let foreign: ForeignWords | undefined;
    let tables = 0;

    withTestPostgres(async (started) => {
      postgres = started;
      if (language !== '') foreign = await startForeignWords(started.server.port);
    });
    after(() => foreign?.close());

    const configOf = (more: object) => postgres.config({ ...(foreign ? { port: foreign.port } : {}), ...more });

    const run = (text: string) => postgres.run(text);

    /** The rows that one batch was refused, or the code of what it waits for. */
    async function outcome(
      more: { readonly table: string; readonly [field: string]: unknown },
      records: readonly RecordObject[],
    ) {
      const config = configOf(more);
      try {
        const connected = await sink.connect(config, sinkContext());
        try {
          const slot = await connected.open({ ...slotId, stage: `sink-${more.table}` });
          const refused = await write(slot, rowsOf(slot, records), batch(0, 1), noSignal);
          const again = await write(slot, rowsOf(slot, records), batch(0, 1), noSignal);
          deepEqual(again, refused, 'repeated, the batch has the same refusals');
          return refused.map(({ row }) => row);
        } finally {
          await connected.close();
        }
      } catch (error) {
        ok(error instanceof MillraceError, String(error));
        return error.code;
      }
    }

    /** The statements that are said when one record is written by this user; undefined when it is stored. */
    async function missingIn(config: {
      readonly table: string;
      readonly username: string;
    }): Promise<string | undefined> {
      try {
        const identity = { user: `user "${config.username}"`, credentials: 'password' };
        const connected = await sink.connect(configOf(config), { ...sinkContext(), identity });
        try {
          const slot = await connected.open({ ...slotId, stage: config.username });
          await write(slot, rowsOf(slot, [{ n: 1 }]), batch(0, 1), noSignal);
          return undefined;
        } finally {
          await connected.close();
        }
      } catch (error) {
        ok(error instanceof MillraceError && error.code === 'MR_SINK_PRIVILEGE_MISSING', String(error));
        return /Run: (.*); Millrace retries/.exec(error.sentence)?.[1] ?? 'nothing is advised';
      }
    }

    const defaultOf = (value: string | number | readonly string[]) =>
      typeof value === 'object' ? `'{${value.join()}}'` : `'${value}'`;

    const idsIn = async (table: string) =>
      ((await run(`SELECT id FROM ${table} ORDER BY id`)) as { id: number }[]).map(({ id }) => id);

    /** What a trigger does with id 2. */
    const triggerSaying = (table: string, act: string, when = 'TRIGGER g BEFORE INSERT', more = '') => `
    CREATE FUNCTION ${table}_f() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.id = 2 THEN ${act}; END IF; RETURN NEW; END $$;
    CREATE ${when} ON ${table}${more} FOR EACH ROW EXECUTE FUNCTION ${table}_f()`;

    for (const offset of [0, 1]) {
      it(`whose text would be cut within a character is stored (${offset})`, async () => {
        const table = `emoji_${offset}`;
        await run(
          `CREATE TABLE ${table} (id int, name text); ${triggerSaying(table, `RAISE EXCEPTION 'not %', NEW.name`)}`,
        );
        const name = 'x'.repeat(offset) + '😀'.repeat(400);
        deepEqual(
          await outcome({ table }, [
            { id: 1, name },
            { id: 2, name },
          ]),
          [1],
        );
        deepEqual(await idsIn(table), [1]);
      });
    }

    const three: readonly RecordObject[] = [{ id: 1 }, { id: 2 }, { id: 3 }];

    for (const [name, using] of [
      ['no SQLSTATE', `'no'`],
      ['a SQLSTATE of its own', `'no' USING ERRCODE = '45001'`],
      ['another one of its own', `'no' USING ERRCODE = 'MY001'`],
      ['that of a wrong state', `'no' USING ERRCODE = 'object_not_in_prerequisite_state'`],
      ['that of a missing right', `insufficient_privilege USING MESSAGE = 'no'`],
      ['that of a missing table', `undefined_table USING MESSAGE = 'no'`],
      ['that of a login', `invalid_password USING MESSAGE = 'no'`],
    ] as const) {
      for (const [kind, when] of [
        ['trigger', undefined],
        ['constraint trigger', 'CONSTRAINT TRIGGER g AFTER INSERT'],
      ] as const) {
        it(`that a ${kind} raises with ${name} is the row's, with a key and without`, async () => {
          for (const upsertKey of [[], ['id']]) {
            const table = `raised_${++tables}`;
            const deferrable = when === undefined ? '' : ' DEFERRABLE INITIALLY DEFERRED';
            await run(
              `CREATE TABLE ${table} (id int PRIMARY KEY); ${triggerSaying(table, `RAISE ${using.startsWith("'") ? 'EXCEPTION ' : ''}${using}`, when, deferrable)}`,
            );
            deepEqual(await outcome({ table, upsertKey }, three), [1]);
            deepEqual(await idsIn(table), [1, 3]);
          }
        });
      }
    }

    for (const [name, act] of [
      ['raises "try again"', `RAISE serialization_failure`],
      ['writes to a table that is not there', `INSERT INTO not_there VALUES (1)`],
    ] as const) {
      it(`of a trigger that ${name} is waited for`, async () => {
        const table = `waits_${++tables}`;
        await run(`CREATE TABLE ${table} (id int); ${triggerSaying(table, act)}`);
        const code = act.startsWith('RAISE') ? 'MR_SINK_BUSY' : 'MR_SINK_TABLE_UNFIT';
        deepEqual([await outcome({ table }, three), await idsIn(table)], [code, []]);
      });
    }

    for (const [what, ofTwo, ofAll] of [
      [
        'a CASE of a trigger has no branch',
        'CASE NEW.id WHEN 1 THEN NULL; WHEN 3 THEN NULL; END CASE; RETURN NEW',
        'CASE NEW.id WHEN 9 THEN NULL; END CASE; RETURN NEW',
      ],
      ['a trigger has no RETURN', 'IF NEW.id <> 2 THEN RETURN NEW; END IF', 'NEW.id := NEW.id + 1'],
    ] as const) {
      const having = async (body: string) => {
        const table = `branched_${++tables}`;
        await run(`CREATE TABLE ${table} (id int);
          CREATE FUNCTION ${table}_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; END $$;
          CREATE TRIGGER g BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_f()`);
        return table;
      };
      it(`W4: of a value for which ${what} is the row's`, async () => {
        const table = await having(ofTwo);
        deepEqual([await outcome({ table }, three), await idsIn(table)], [[1], [1, 3]]);
      });

      it(`W4: that ${what} for any row of the batch is waited for`, async () => {
        const table = await having(ofAll);
        deepEqual([await outcome({ table }, three), await idsIn(table)], ['MR_SINK_TABLE_UNFIT', []]);
      });
    }

    it("of a policy of row level security is the row's, and a right that is missing is not", async () => {
      await postgres.makePositions();
      await run(`CREATE TABLE tenants (id int PRIMARY KEY, tenant text); ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
      CREATE POLICY own ON tenants USING (tenant = 'a') WITH CHECK (tenant = 'a');
      CREATE ROLE tenant LOGIN PASSWORD 'x'; GRANT ALL ON SCHEMA public TO tenant; GRANT ALL ON millrace_positions TO tenant`);
      const login = { username: 'tenant', password: 'x', table: 'tenants', upsertKey: ['id'] };
      const records = [
        { id: 1, tenant: 'a' },
        { id: 2, tenant: 'b' },
        { id: 3, tenant: 'a' },
      ];
      for (const upsertKey of [['id'], []]) {
        deepEqual(await outcome({ ...login, upsertKey }, records), 'MR_SINK_PRIVILEGE_MISSING');
      }
      await run('GRANT ALL ON tenants TO tenant');
      for (const upsertKey of [['id'], []]) {
        await run(`TRUNCATE tenants; DELETE FROM millrace_positions WHERE stage = 'sink-tenants'`);
        deepEqual([await outcome({ ...login, upsertKey }, records), await idsIn('tenants')], [[1], [1, 3]]);
      }
    });

    for (const [name, expression, made] of [
      [
        'a function that reads a table',
        'late_f()',
        `CREATE FUNCTION late_f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT max(v) FROM late); END $$`,
      ],
      [
        'a function of SQL',
        'late_s()',
        `SET check_function_bodies = off; CREATE FUNCTION late_s() RETURNS int LANGUAGE sql AS $$ SELECT max(v) FROM late $$`,
      ],
      ['a sequence by its name', `nextval('late_q'::text)`, ''],
      ['a name of a type', `'late_q'::text::regclass::oid::int`, ''],
    ] as const) {
      it(`of a default that lacks its table is waited for, though COPY was at its column: ${name}`, async () => {
        const table = `defaults_${++tables}`;
        await run(`${made === '' ? '' : `${made};`} CREATE TABLE ${table} (id int, d int DEFAULT ${expression})`);
        deepEqual(
          [await outcome({ table }, [{ id: 1 }, { id: 2, d: 3 }]), await idsIn(table)],
          ['MR_SINK_TABLE_UNFIT', []],
        );
      });
    }

    it("of a value that names no table or type, with a key and without, is the row's", async () => {
      await run(
        `CREATE TABLE named (id int, c regclass, t regtype); CREATE TABLE named_once (LIKE named, UNIQUE (id))`,
      );
      const records = [
        { id: 1, c: 'named' },
        { id: 2, c: 'nowhere.none' },
        { id: 3, c: 'none' },
        { id: 4, t: 'none' },
        { id: 5, t: 'none(' },
      ];
      for (const more of [{ table: 'named' }, { table: 'named_once', upsertKey: ['id'] }]) {
        deepEqual([await outcome(more, records), await idsIn(more.table)], [[1, 2, 3, 4], [1]]);
      }
    });

    // `S` is a schema that the sink's user may not enter.
    for (const [type, good, bad] of [
      ['tsquery', 'a & b', 'a b &'],
      ['jsonpath', '$.a', '$.a ['],
      ['jsonpath', '$.a', '$.a like_regex "b" flag "x"'],
      ['regclass', 'pg_catalog.pg_class', 'S.t'],
      ['regproc', 'pg_catalog.now', 'none'],
      ['regrole', 'reader', 'none'],
      ['regnamespace', 'public', 'none'],
      ['regconfig', 'pg_catalog.simple', 'none'],
      ['regclass[]', ['pg_catalog.pg_class'], ['pg_catalog.pg_class', 'none']],
      ['a_place', { n: 1, c: 'pg_catalog.pg_class' }, { n: 1, c: 'none' }],
      ['a_class', 'pg_catalog.pg_class', `it's\\a\tname`],
    ] as const) {
      it(`of a value of type ${type} is the row's, whatever it names: ${JSON.stringify(bad)}`, async () => {
        const table = `values_${++tables}`;
        await run(`CREATE SCHEMA IF NOT EXISTS "S"; CREATE TABLE IF NOT EXISTS "S".t (id int);
        DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 'x'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        DO $$ BEGIN CREATE TYPE a_place AS (n int, c regclass); EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        DO $$ BEGIN CREATE DOMAIN a_class AS regclass; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        CREATE TABLE ${table} (id int, v ${type}, d text DEFAULT 'd');
        GRANT ALL ON SCHEMA public TO reader; GRANT ALL ON ALL TABLES IN SCHEMA public TO reader`);
        const records = [1, 2, 3].map((id) => ({ id, v: id === 2 ? bad : good }));
        const outcomes = await outcome({ table, username: 'reader', password: 'x' }, records);
        deepEqual([outcomes, await idsIn(table)], [[1], [1, 3]]);
      });
    }

    // What the CHECK does with the value 2 ends in an error of the kind that a missing object has.
    for (const [name, domain, good, bad] of [
      ['names', `text CHECK (VALUE::regclass IS NOT NULL)`, 'pg_catalog.pg_class', 'none'],
      ['names, where null is refused', `text NOT NULL CHECK (VALUE::regclass IS NOT NULL)`, 'pg_class', 'S.none'],
      ['is named by, of a domain', `classes CHECK (VALUE <> 'pg_type')`, 'pg_class', 'none'],
      ['reads as a query', `text CHECK (VALUE::tsquery IS NOT NULL)`, 'a & b', 'a b &'],
      ['names as a function', `varchar CHECK (VALUE::text::regproc IS NOT NULL)`, 'pg_catalog.now', 'none'],
      ['names, by a type of names', `name CHECK (VALUE::regclass IS NOT NULL)`, 'pg_class', 'none'],
      ['names, filled up with spaces', `char(20) CHECK (VALUE::regclass IS NOT NULL)`, 'pg_class', 'none'],
      ['names in a list', `text[] CHECK (VALUE[1]::regclass IS NOT NULL)`, ['pg_class'], ['none']],
      ['is a list of', `classes[]`, ['pg_class'], ['pg_class', 'none']],
      ['makes a name of', `text CHECK (('public.' || VALUE)::regclass IS NOT NULL)`, 'millrace_positions', 'none'],
      ['names a role by', `text CHECK (VALUE::aclitem IS NOT NULL)`, '=r/pg_monitor', 'none=r/none'],
      ['takes for a path', `text CHECK (xpath_exists(VALUE, '<a/>'::xml) IS NOT NULL)`, '/a', '/a['],
    ] as const) {
      it(`of a domain's CHECK is the row's, with a key and without: what it ${name}`, async () => {
        const type = `domain_${++tables}`;
        await run(`DO $$ BEGIN CREATE DOMAIN classes AS text CHECK (VALUE::regclass IS NOT NULL);
          EXCEPTION WHEN duplicate_object THEN NULL; END $$;
          CREATE DOMAIN ${type} AS ${domain}`);
        for (const upsertKey of [[], ['id']]) {
          const table = `of_domain_${++tables}`;
          await run(
            `CREATE TABLE ${table} (id int PRIMARY KEY, filled ${type} DEFAULT ${defaultOf(good)}, v ${type}, c regtype)`,
          );
          const records = [
            { id: 1, v: good },
            { id: 2, v: bad },
            { id: 3, v: good, c: 'nowhere.none' },
            { id: 4, v: bad, c: 'none' },
            { id: 5, v: good, c: 'int' },
          ];
          deepEqual(
            [await outcome({ table, upsertKey }, records), await idsIn(table)],
            [
              [1, 2, 3],
              [1, 5],
            ],
          );
        }
      });
    }

    for (const [name, domain, value] of [
      ['whatever the value', `int CHECK (lacks(VALUE))`, 1],
      ['for a default', `text DEFAULT 'none' CHECK (VALUE::regclass IS NOT NULL)`, undefined],
      ['whatever the value, null aside', `text CHECK (known(VALUE))`, 'a'],
      ['whatever the value, null aside, which is refused', `text NOT NULL CHECK (known(VALUE))`, 'a'],
      ['for some of the values', `int CHECK (VALUE <> 1 OR known(VALUE::text))`, 1],
      ['which it names itself', `text CHECK (VALUE IS NULL OR named('not_there'))`, 'a'],
      ['by a name that is that of the value', `text CHECK (known(VALUE))`, 'not_there'],
      ['within an array', `known_text[]`, ['a']],
      ['within a composite', `known_pair`, { n: 1, c: 'a' }],
      ['which it names itself, as the value does', `text CHECK (VALUE IS NULL OR named('not_there'))`, 'not_there'],
      ['which is a setting', `text CHECK (current_setting('none.' || VALUE) IS NOT NULL)`, 'a'],
    ] as const) {
      it(`of a domain's CHECK that lacks its table is waited for, with a key and without: ${name}`, async () => {
        const type = `domain_${++tables}`;
        await run(`CREATE OR REPLACE FUNCTION lacks(v int) RETURNS bool LANGUAGE plpgsql AS $$
            BEGIN RETURN EXISTS (SELECT FROM not_there); END $$;
          CREATE OR REPLACE FUNCTION known(v text) RETURNS bool LANGUAGE plpgsql STRICT AS $$
            BEGIN RETURN EXISTS (SELECT FROM not_there WHERE c = v); END $$;
          CREATE OR REPLACE FUNCTION named(v text) RETURNS bool LANGUAGE plpgsql AS $$
            BEGIN RETURN v::regclass IS NOT NULL; END $$;
          DO $$ BEGIN CREATE DOMAIN known_text AS text CHECK (known(VALUE)); CREATE TYPE known_pair AS (n int, c known_text);
            EXCEPTION WHEN duplicate_object THEN NULL; END $$;
          CREATE DOMAIN ${type} AS ${domain}`);
        for (const upsertKey of [[], ['id']]) {
          const table = `of_domain_${++tables}`;
          await run(`CREATE TABLE ${table} (id int PRIMARY KEY, v ${type})`);
          const records = [1, 2].map((id) => ({ id, ...(value === undefined ? {} : { v: value }) }));
          deepEqual([await outcome({ table, upsertKey }, records), await idsIn(table)], ['MR_SINK_TABLE_UNFIT', []]);
        }
      });
    }

    for (const [name, domain, bad] of [
      ['a name that every database has', 'name CHECK (VALUE::regclass IS NOT NULL)', ['none']],
      ['such a name in a list', 'text[] CHECK (VALUE[1]::regproc IS NOT NULL)', [['none']]],
      ['the role of such a name', 'text CHECK (VALUE::aclitem IS NOT NULL)', ['none=r/none', 'none=w/none']],
      [
        'one of many values, the last of a long row of wrong ones',
        `text CHECK (('public.' || VALUE)::regclass IS NOT NULL)`,
        Array.from({ length: 40 }, (_, i) => `none_${i}`),
      ],
    ] as const) {
      it(`of a domain's CHECK is the row's where the domain takes ${name}`, async () => {
        const table = `other_${++tables}`;
        await run(`CREATE DOMAIN ${table}_d AS ${domain}; CREATE TABLE ${table} (id int, v ${table}_d)`);
        const good = bad.length < 40 ? [] : ['millrace_positions'];
        const records = [...bad, ...good].map((v, id) => ({ id, v }));
        deepEqual(await outcome({ table }, records), [...bad.keys()]);
      });
    }

    it("of a domain's CHECK is waited for while the domain takes no value, and says what was tried", async () => {
      await run(`CREATE DOMAIN undecided_d AS text CHECK (('public.' || VALUE)::regclass IS NOT NULL);
        CREATE TABLE undecided (id int, v undecided_d)`);
      const connected = await sink.connect(configOf({ table: 'undecided' }), sinkContext());
      const slot = await connected.open({ ...slotId, stage: 'sink-undecided' });
      const rows = () => rowsOf(slot, [{ id: 1, v: 'none' }]);
      const end = await slot.write(rows(), batch(0, 1), undefined, noSignal);
      ok(end.kind === 'nothing' && end.error.code === 'MR_SINK_TABLE_UNFIT', end.kind);
      ok(end.error.sentence.includes('The value of column "v" or the CHECK of its domain is at fault'));
      await run(`INSERT INTO undecided VALUES (0, 'undecided')`);
      const refused = await write(slot, rows(), batch(0, 1), noSignal);
      await connected.close();
      deepEqual(
        refused.map(({ row }) => row),
        [0],
      );
    });

    it('of a key that cannot be upserted by is said when the sink begins', async () => {
      await run('CREATE TABLE deferred (id int UNIQUE DEFERRABLE INITIALLY IMMEDIATE)');
      deepEqual(await outcome({ table: 'deferred', upsertKey: ['id'] }, three), 'MR_SINK_TABLE_UNFIT');
    });

    for (const [upsertKey, createTable] of [
      [[], false],
      [['id'], false],
      [['id'], true],
    ] as const) {
      const what = `${upsertKey.length > 0 ? 'with' : 'without'} a key${createTable ? ', which makes its table' : ''}`;
      it(`of a right that is missing says what gives it, until the sink has all (${what})`, async () => {
        const [schema, table] = [`apart_${++tables}`, 'granted'];
        const columns = [{ name: 'id', type: 'serial' }];
        await run(`CREATE SCHEMA ${schema}; CREATE ROLE ${schema} LOGIN PASSWORD 'x';
          REVOKE CONNECT, TEMPORARY ON DATABASE postgres FROM PUBLIC;
          ${createTable ? '' : `CREATE TABLE ${schema}.${table} (id serial PRIMARY KEY, n int)`}`);
        const more = { schema, table, upsertKey, username: schema, password: 'x' };
        const config = { ...more, ...(createTable ? { createTable: { columns, primaryKey: ['id'] } } : {}) };
        const given: string[] = [];
        for (let missing = await missingIn(config); missing !== undefined; missing = await missingIn(config)) {
          ok(!given.includes(missing), `${missing} was of no use`);
          given.push(missing);
          await run(missing);
        }
        deepEqual(await run(`SELECT count(*)::int AS n FROM ${schema}.${table}`), [{ n: 1 }]);
      });
    }

    for (const upsertKey of [[], ['n']]) {
      const by = upsertKey.length > 0 ? 'with a key' : 'without a key';
      for (const [what, columns] of [
        ['of another schema', `i bigint DEFAULT nextval('"ROLE of''s".s')`],
        [
          'beside one that the user may use',
          `i bigint DEFAULT nextval('may'), j bigint DEFAULT currval('"ROLE of''s".s')`,
        ],
        ['of a domain', `i numbered_ROLE`],
      ] as const) {
        it(`of a right that is missing on a sequence says what gives it (${by}): ${what}`, async () => {
          const role = `numbered_${++tables}`;
          await postgres.makePositions();
          await run(`CREATE SCHEMA "${role} of's"; CREATE SEQUENCE "${role} of's".s; CREATE ROLE ${role} LOGIN PASSWORD 'x';
            CREATE DOMAIN numbered_${role} AS bigint DEFAULT nextval('"${role} of''s".s'); CREATE SEQUENCE IF NOT EXISTS may;
            CREATE TABLE ${role} (n int PRIMARY KEY, ${columns.replaceAll('ROLE', role)});
            GRANT CONNECT, TEMPORARY ON DATABASE postgres TO ${role}; GRANT USAGE ON SCHEMA public, "${role} of's" TO ${role};
            GRANT ALL ON ${role}, may, millrace_positions TO ${role}`);
          const config = { table: role, username: role, password: 'x', upsertKey };
          deepEqual(await missingIn(config), `GRANT USAGE ON SEQUENCE "${role} of's".s TO "${role}"`);
        });
      }

      it(`of a right that is missing on one of the columns says what gives it (${by})`, async () => {
        const role = `columned_${++tables}`;
        await postgres.makePositions();
        await run(`CREATE TABLE ${role} (n int PRIMARY KEY, i int); CREATE ROLE ${role} LOGIN PASSWORD 'x';
          GRANT CONNECT, TEMPORARY ON DATABASE postgres TO ${role}; GRANT USAGE ON SCHEMA public TO ${role};
          GRANT SELECT, INSERT (n), UPDATE (i) ON ${role} TO ${role}; GRANT ALL ON millrace_positions TO ${role}`);
        const config = { table: role, username: role, password: 'x', upsertKey };
        deepEqual(await missingIn(config), `GRANT INSERT ON "public"."${role}" TO "${role}"`);
        await run(`GRANT INSERT (i) ON ${role} TO ${role}`);
        deepEqual(await missingIn(config), undefined);
      });

      const trigger = (act: string) => `CREATE FUNCTION ROLE_f() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN ${act}; RETURN NEW; END $$; CREATE TRIGGER g BEFORE INSERT ON ROLE FOR EACH ROW EXECUTE FUNCTION ROLE_f()`;
      const policy = (check: string) =>
        `ALTER TABLE ROLE ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON ROLE USING (true) WITH CHECK (${check})`;
      for (const [what, made] of [
        ['a trigger, on a table', trigger('INSERT INTO hidden VALUES (1)')],
        ['a trigger, on a sequence', trigger("PERFORM nextval('hidden_s')")],
        ['a trigger, on a function', trigger('NEW.n := hidden_f(1)')],
        ['a default', 'ALTER TABLE ROLE ADD d int DEFAULT hidden_f(1)'],
        ['a default, on a sequence by its name', "ALTER TABLE ROLE ADD d int DEFAULT nextval('hidden_s'::text)"],
        ['a CHECK', 'ALTER TABLE ROLE ADD CHECK (hidden_f(n) = 1)'],
        ['an index', 'CREATE INDEX ON ROLE (hidden_f(n))'],
        ['a policy, on a function', policy('hidden_f(n) = 1')],
        ['a policy, on a table', policy('NOT EXISTS (SELECT FROM hidden)')],
      ] as const) {
        it(`of a right that is lacking for ${what} is told by the server alone (${by})`, async () => {
          const role = `lacking_${++tables}`;
          await postgres.makePositions();
          await run(`CREATE TABLE IF NOT EXISTS hidden (n int); CREATE SEQUENCE IF NOT EXISTS hidden_s;
            CREATE OR REPLACE FUNCTION hidden_f(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
            REVOKE ALL ON FUNCTION hidden_f FROM PUBLIC;
            CREATE ROLE ${role} LOGIN PASSWORD 'x'; CREATE TABLE ${role} (n int PRIMARY KEY, i serial);
            ${made.replaceAll('ROLE', role)}; GRANT CONNECT, TEMPORARY ON DATABASE postgres TO ${role};
            GRANT USAGE ON SCHEMA public TO ${role};
            GRANT SELECT, INSERT, UPDATE ON ${role} TO ${role}; GRANT ALL ON ${role}_i_seq, millrace_positions TO ${role}`);
          const config = { table: role, username: role, password: 'x', upsertKey };
          deepEqual(await missingIn(config), 'nothing is advised');
        });
      }
    }

    // What differs each time: a time, a process, a transaction, chance.
    const passing = `clock_timestamp(), pg_backend_pid(), txid_current(), random(), md5(random()::text), to_char(clock_timestamp(), 'FMMonth US')`;
    const saying = (how: string) =>
      `RAISE ${how} USING MESSAGE = concat_ws(' ', 'no', ${passing}), DETAIL = random()::text`;

    it('in the dead letter of a row is the one of the time when the others were stored, whoever asks again', async () => {
      await run(`CREATE TABLE texts (id int); ${triggerSaying('texts', saying('check_violation'))}`);
      const config = configOf({ table: 'texts' });
      const letters: (readonly string[])[] = [];
      for (let owner = 0; owner < 3; owner++) {
        const connected = await sink.connect(config, sinkContext());
        const slot = await connected.open({ ...slotId, stage: 'sink-texts' });
        const refused = await write(slot, rowsOf(slot, three), batch(0, 1), noSignal);
        letters.push(refused.map(({ row, error }) => `${row} ${error.sentence}`));
        await connected.close();
      }
      deepEqual(
        [letters[0]?.length, letters[1], letters[2], await idsIn('texts')],
        [1, letters[0], letters[0], [1, 3]],
      );
    });

    for (const [what, act, records] of [
      ['a trigger', saying('serialization_failure'), three],
      ['a lock', `PERFORM pg_advisory_xact_lock(7)`, three],
    ] as const) {
      it(`that is waited for is told in the same words as long as it lasts: ${what}`, async () => {
        const table = `told_${++tables}`;
        await run(`CREATE TABLE ${table} (id int); ${triggerSaying(table, act)}`);
        const config = configOf({ table, statementTimeout: '1s' });
        const connected = await sink.connect(config, sinkContext());
        const slot = await connected.open({ ...slotId, stage: `sink-${table}` });
        const other = await postgres.connections.pool.connect();
        await other.query('BEGIN; SELECT pg_advisory_xact_lock(7)');
        const told = new Set<string>();
        for (let attempt = 0; attempt < 3; attempt++) {
          const end = await slot.write(rowsOf(slot, records), batch(0, 1), undefined, noSignal);
          told.add(end.kind === 'nothing' ? end.error.sentence : end.kind);
        }
        await other.query('ROLLBACK');
        other.release();
        await connected.close();
        deepEqual([told.size, await idsIn(table)], [1, []]);
      });
    }
  });
