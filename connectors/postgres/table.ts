/**
 * The sink's table: made if asked, read, and checked.
 *
 * A1  Columns that the server fills (GENERATED … STORED, GENERATED ALWAYS AS IDENTITY) are left out.
 * A2  `upsertKey` without a unique key on just these columns is MR_SINK_TABLE_UNFIT.
 */
import pg from 'pg';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import type { Where } from './failures.ts';
import type { CreateTable, PostgresSinkConfig } from './spec.ts';
import { columnKind, type ColumnKind } from './value-text.ts';

export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  /** The default's expression, when a row can ask for it. */
  readonly hasDefault: boolean;
  readonly defaultExpression: string | null;
  /** Null is refused. */
  readonly isRequired: boolean;
}

export interface Table {
  /** Quoted, with its schema. */
  readonly name: string;
  readonly columns: readonly Column[];
}

export const quoted = pg.escapeIdentifier;

export function qualified(schema: string, name: string): string {
  return `${quoted(schema)}.${quoted(name)}`;
}

/** COPY takes a marker for "the default of the column" from this version on. */
const defaultsVersion = 160_000;

export async function openTable(client: pg.Client, config: PostgresSinkConfig, where: Where): Promise<Table> {
  const name = qualified(config.schema, config.table);
  if (config.createTable) await client.query(createStatement(name, config.createTable));
  const columns = await readColumns(client, name, config.upsertKey);
  await checkKey(client, name, config, where);
  return { name, columns };
}

/** Pure, for the test: what `createTable` becomes. */
export function createStatement(name: string, create: CreateTable): string {
  const lines = create.columns.map((column) => `${quoted(column.name)} ${column.type}`);
  if (create.primaryKey.length > 0) lines.push(`PRIMARY KEY (${create.primaryKey.map(quoted).join(', ')})`);
  return `CREATE TABLE IF NOT EXISTS ${name} (${lines.join(', ')})`;
}

const columnRow = z.object({
  name: z.string(),
  type: z.string(),
  not_null: z.boolean(),
  identity: z.string(),
  generated: z.string(),
  expression: z.string().nullable(),
});

async function readColumns(client: pg.Client, table: string, key: readonly string[]): Promise<readonly Column[]> {
  const version = z
    .array(z.object({ version: z.coerce.number() }))
    .parse((await client.query<pg.QueryResultRow>(`SELECT current_setting('server_version_num') AS version`)).rows);
  const canDefault = (version[0]?.version ?? 0) >= defaultsVersion;
  const { rows } = await client.query<pg.QueryResultRow>(
    `SELECT a.attname AS name, t.typname AS type, a.attnotnull AS not_null, a.attidentity AS identity,
       a.attgenerated AS generated, pg_get_expr(d.adbin, d.adrelid) AS expression
     FROM pg_attribute a
     JOIN pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attnum`,
    [table],
  );
  return z
    .array(columnRow)
    .parse(rows)
    .filter(({ generated, identity }) => generated === '' && identity === '')
    .filter(({ expression }) => canDefault || !(expression?.startsWith('nextval(') ?? false))
    .map(({ name, type, not_null: notNull, expression }) => ({
      name,
      kind: columnKind(type),
      hasDefault: canDefault && expression !== null,
      defaultExpression: expression,
      isRequired: notNull || key.includes(name),
    }));
}

async function checkKey(client: pg.Client, table: string, config: PostgresSinkConfig, where: Where): Promise<void> {
  const key = config.upsertKey;
  if (key.length === 0) return;
  const { rows } = await client.query<pg.QueryResultRow>(
    `SELECT 1 FROM pg_index i
     WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
       AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_attribute a
            WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])) = $2::text[]`,
    [table, key.toSorted()],
  );
  if (rows.length > 0) return;
  throw mr('MR_SINK_TABLE_UNFIT', {
    table: where.table,
    sink: where.sink,
    problem: `it has no unique key on (${key.join(', ')})`,
    hint: `Run: ALTER TABLE ${table} ADD UNIQUE (${key.map(quoted).join(', ')})`,
  });
}
