/** The systems that the sinks write to: how a table is made there, and how its column is read back as text. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@clickhouse/client';
import pg from 'pg';
import { sink as clickhouseSink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import type { Sink } from '../../../connectors/connector.ts';
import { sink as postgresSink } from '../../../connectors/postgres/index.ts';
import { postgresSinkSpec } from '../../../connectors/postgres/spec.ts';
import { startClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { freePort } from '../../../local/ports.ts';
import { startPostgres } from '../../../local/postgres/postgres.ts';
import { sinkContext } from '../sink-context.ts';
import { permissive } from '../clickhouse/permissive.ts';

export interface Target {
  /** A table with the columns n and v, to be written in one of the system's ways. */
  make(name: string, type: string, way: string): Promise<void>;
  connect(table: string, way: string): Promise<Sink>;
  /** v as text, by n. */
  read(table: string): Promise<ReadonlyMap<number, string | null>>;
  /** What the system itself puts into v when an INSERT does not name it. */
  defaultIn(table: string): Promise<string | null>;
  /** Names of all types that a column may have. */
  types(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

const clickhouseWays = ['RowBinary', 'RowBinaryWithDefaults'] as const;
const postgresWays = ['COPY', 'upsert'] as const;

async function clickhouse(): Promise<Target> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-values-'));
  const server = await startClickHouse({ dir, port: await freePort() });
  const client = createClient({ url: server.url });
  const rows = async <T>(query: string) =>
    (await client.query({ query, format: 'JSONCompactEachRow', clickhouse_settings: permissive })).json<T>();
  return {
    async make(name, type, way) {
      const more = way === clickhouseWays[1] ? ', other Int8 DEFAULT 1' : '';
      const query = `CREATE TABLE ${name} (n UInt32, v ${type}${more}) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 1000`;
      await client.command({ query, clickhouse_settings: permissive });
    },
    connect: (table) => clickhouseSink.connect(clickhouseSinkSpec.parse({ url: server.url, table }), sinkContext()),
    async read(table) {
      return new Map(await rows<[number, string | null]>(`SELECT n, toString(v) FROM ${table} ORDER BY n`));
    },
    async defaultIn(table) {
      await client.command({ query: `INSERT INTO ${table} (n) VALUES (4000000000)`, clickhouse_settings: permissive });
      const [[text] = [null]] = await rows<[string | null]>(`SELECT toString(v) FROM ${table} WHERE n = 4000000000`);
      return text;
    },
    // A Nested is a column for each of its members, and no table has a Nothing.
    async types() {
      const all = await rows<[string]>(
        "SELECT name FROM system.data_type_families WHERE alias_to = '' AND name NOT IN ('Nested', 'Nothing') ORDER BY name",
      );
      return all.map(([name]) => name);
    },
    async stop() {
      await client.close();
      await server.stop();
      await rm(dir, { recursive: true });
    },
  };
}

async function postgres(): Promise<Target> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-values-'));
  const server = await startPostgres({ dir, port: await freePort() });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  const run = async (text: string) => (await client.query<Readonly<Record<string, string | number | null>>>(text)).rows;
  for (const extension of ['citext', 'hstore', 'ltree', 'cube']) await run(`CREATE EXTENSION ${extension}`);
  await run(`CREATE DOMAIN flag AS boolean; CREATE DOMAIN payload AS jsonb; CREATE DOMAIN tags AS text[];
    CREATE DOMAIN moment AS timestamptz; CREATE DOMAIN positive AS int4 CHECK (VALUE > 0);
    CREATE DOMAIN nested_domain AS positive; CREATE DOMAIN cents AS numeric(5,2); CREATE TYPE mood AS ENUM ('ok');
    CREATE TYPE pair AS (n int, t text); CREATE TYPE short AS (n numeric(5,2), t varchar(3))`);
  // What the sink writes must not depend on what the database is set to.
  await run(`ALTER DATABASE postgres SET timezone = 'Asia/Tokyo'; ALTER DATABASE postgres SET datestyle = 'German, DMY';
    ALTER DATABASE postgres SET intervalstyle = 'sql_standard'; ALTER DATABASE postgres SET extra_float_digits = 0`);
  await run("SET timezone = 'UTC'; SET extra_float_digits = 1");
  return {
    async make(name, type) {
      await run(`CREATE TABLE ${name} (n int PRIMARY KEY, v ${type})`);
    },
    connect(table, way) {
      const { host, port, username, password } = server;
      const upsertKey = way === postgresWays[1] ? ['n'] : [];
      const config = postgresSinkSpec.parse({ host, port, username, password, table, upsertKey });
      return postgresSink.connect(config, sinkContext());
    },
    async read(table) {
      const rows = await run(`SELECT n, v::text AS v FROM ${table} ORDER BY n`);
      return new Map(rows.map(({ n, v = null }) => [Number(n), v === null ? null : String(v)]));
    },
    async defaultIn(table) {
      await run(`INSERT INTO ${table} (n) VALUES (-1)`);
      const [row] = await run(`SELECT v::text AS v FROM ${table} WHERE n = -1`);
      const text = row?.['v'] ?? null;
      return text === null ? null : String(text);
    },
    async types() {
      const rows = await run(
        `SELECT t.typname AS name FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
         WHERE n.nspname = 'pg_catalog' AND t.typtype IN ('b', 'r', 'm') AND t.typisdefined AND t.typcategory NOT IN ('A', 'Z')
           AND t.typname NOT IN ('gtsvector', 'pg_node_tree') ORDER BY 1`,
      );
      return rows.map(({ name }) => String(name));
    },
    async stop() {
      await client.end();
      await server.stop();
      await rm(dir, { recursive: true });
    },
  };
}

/** Of each connector that has a sink. `ways`: how rows may come into a table; each is another format or statement. */
export const targets: Readonly<
  Record<string, { readonly ways: readonly [string, ...string[]]; start(): Promise<Target> }>
> = {
  clickhouse: { ways: clickhouseWays, start: clickhouse },
  postgres: { ways: postgresWays, start: postgres },
};
