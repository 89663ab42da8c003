/**
 * The sink's table: created if requested, read, and checked.
 *
 * A1  Every column that can be written is written, identity columns too. A column that only the server fills (GENERATED
 *     ALWAYS AS (…)) is left out of the statements but remembered, so that a record with such a field is reported.
 * A2  `upsertKey` without a unique key on exactly these columns, or with one that is DEFERRABLE, is
 *     MR_SINK_TABLE_UNFIT.
 */
import pg from 'pg';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { Catalogue, type ColumnKind } from './column-kind.ts';
import type { FailureContext } from './failures.ts';
import type { CreateTable, PostgresSinkConfig } from './spec.ts';

export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  /** What a row without the field gets: null, the default through COPY's marker, or a value that the merge fills in. */
  readonly missing: 'null' | 'default' | 'merged';
  /** The default's expression, of the column or its domain. */
  readonly defaultExpression: string | null;
  /** The server counts: an identity, or a default that takes the next number of a sequence. */
  readonly isNumbered: boolean;
  readonly isIdentity: boolean;
  /** Null is refused. */
  readonly isRequired: boolean;
}

/** A column that cannot be written. */
export interface ClosedColumn {
  readonly name: string;
  readonly why: string;
}

export interface Table {
  /** Quoted, with its schema. */
  readonly name: string;
  readonly columns: readonly Column[];
  readonly closed: readonly ClosedColumn[];
  /** Rows go through a temporary table, from which a statement merges them. */
  readonly isStaged: boolean;
}

export const quoted = pg.escapeIdentifier;

export function qualified(schema: string, name: string): string {
  return `${quoted(schema)}.${quoted(name)}`;
}

/** From this version on COPY accepts a marker for "the default of the column". */
export const copyDefaultsVersion = 160_000;
/** Each may be given or not, and each combination is a statement of its own. */
const mostNumbered = 3;

export async function openTable(
  client: pg.Client,
  config: PostgresSinkConfig,
  where: FailureContext,
  copyDefaultsSince = copyDefaultsVersion,
): Promise<Table> {
  const name = qualified(config.schema, config.table);
  if (config.createTable) await client.query(createStatement(name, config.createTable));
  const canCopyDefaults = (await versionOf(client)) >= copyDefaultsSince;
  const table = await readTable(client, name, config.upsertKey, canCopyDefaults);
  await checkKey(client, name, config, where);
  const numbered = table.columns.filter(({ isNumbered, missing }) => isNumbered && missing === 'merged');
  if (numbered.length <= mostNumbered) return table;
  throw mr('MR_SINK_TABLE_UNFIT', {
    table: where.table,
    sink: where.sink,
    problem: `more than ${mostNumbered} of its columns are numbered by the server (${numbered.map((one) => one.name).join(', ')})`,
    hint: 'Write to a table with fewer identity columns and sequences.',
  });
}

/** Pure, for the test: what `createTable` becomes. */
function createStatement(name: string, create: CreateTable): string {
  const lines = create.columns.map((column) => `${quoted(column.name)} ${column.type}`);
  if (create.primaryKey.length > 0) lines.push(`PRIMARY KEY (${create.primaryKey.map(quoted).join(', ')})`);
  return `CREATE TABLE IF NOT EXISTS ${name} (${lines.join(', ')})`;
}

async function versionOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<pg.QueryResultRow>(`SELECT current_setting('server_version_num') AS version`);
  return z.object({ version: z.coerce.number() }).parse(rows[0]).version;
}

const columnRow = z.object({
  name: z.string(),
  type: z.string(),
  modifier: z.number(),
  not_null: z.boolean(),
  identity: z.string(),
  generated: z.string(),
  expression: z.string().nullable(),
});
type ColumnRow = z.infer<typeof columnRow>;

async function readTable(
  client: pg.Client,
  name: string,
  key: readonly string[],
  canCopyDefaults: boolean,
): Promise<Table> {
  const { rows } = await client.query<pg.QueryResultRow>(
    `SELECT a.attname AS name, a.atttypid::text AS type, a.atttypmod AS modifier, a.attnotnull AS not_null, a.attidentity AS identity,
       a.attgenerated AS generated, pg_get_expr(d.adbin, d.adrelid) AS expression
     FROM pg_catalog.pg_attribute a
     LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attnum`,
    [name],
  );
  const all = z.array(columnRow).parse(rows);
  const catalogue = await Catalogue.read(client, name);
  const closed = all.flatMap((row) => closedColumn(row, key));
  const open = all.filter((row) => !closed.some((column) => column.name === row.name));
  const isUpsert = key.length > 0;
  const isStaged = isUpsert || (!canCopyDefaults && open.some((row) => hasDefault(row, catalogue)));
  const columns = open.map((row) => openColumn(row, key, catalogue, { isStaged, canCopyDefaults }));
  return { name, columns, closed, isStaged };
}

function closedColumn({ name, generated, identity }: ColumnRow, key: readonly string[]): ClosedColumn[] {
  if (generated !== '') return [{ name, why: 'PostgreSQL computes the column (GENERATED ALWAYS AS)' }];
  if (identity !== 'a' || key.length === 0 || key.includes(name)) return [];
  return [{ name, why: 'an upsert cannot replace an identity that is GENERATED ALWAYS' }];
}

function openColumn(
  row: ColumnRow,
  key: readonly string[],
  catalogue: Catalogue,
  { isStaged, canCopyDefaults }: { readonly isStaged: boolean; readonly canCopyDefaults: boolean },
): Column {
  const { name, type, modifier, expression, identity } = row;
  const isNumbered = isNumberedBy(row);
  const constraints = catalogue.constraintsOf(type);
  const mustMerge = isStaged && (isNumbered || !canCopyDefaults);
  return {
    name,
    kind: catalogue.kindOf(type, modifier),
    missing: !hasDefault(row, catalogue) ? 'null' : mustMerge ? 'merged' : 'default',
    defaultExpression: expression ?? constraints.defaultExpression,
    isNumbered,
    isIdentity: identity !== '',
    isRequired: row.not_null || key.includes(name) || constraints.isNotNull,
  };
}

function hasDefault(row: ColumnRow, catalogue: Catalogue): boolean {
  return row.identity !== '' || row.expression !== null || catalogue.constraintsOf(row.type).defaultExpression !== null;
}

function isNumberedBy({ identity, expression }: ColumnRow): boolean {
  return identity !== '' || (expression?.startsWith('nextval(') ?? false);
}

async function checkKey(
  client: pg.Client,
  table: string,
  config: PostgresSinkConfig,
  where: FailureContext,
): Promise<void> {
  const key = config.upsertKey;
  if (key.length === 0) return;
  const { rows } = await client.query<pg.QueryResultRow>(
    `SELECT i.indimmediate AS is_immediate FROM pg_index i
     WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
       AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_attribute a
            WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])) = $2::text[]`,
    [table, key.toSorted()],
  );
  const found = z.array(z.object({ is_immediate: z.boolean() })).parse(rows);
  // ON CONFLICT refuses even one that is deferrable beside one that is not.
  if (found.length > 0 && found.every((index) => index.is_immediate)) return;
  const columns = key.map(quoted).join(', ');
  throw mr('MR_SINK_TABLE_UNFIT', {
    table: where.table,
    sink: where.sink,
    problem:
      found.length === 0
        ? `it has no unique key on (${key.join(', ')})`
        : `its unique key on (${key.join(', ')}) is DEFERRABLE, and PostgreSQL upserts by no such key`,
    hint:
      found.length === 0
        ? `Run: ALTER TABLE ${table} ADD UNIQUE (${columns})`
        : `Make the constraint again without DEFERRABLE: ALTER TABLE ${table} DROP CONSTRAINT …, ADD UNIQUE (${columns})`,
  });
}
