/**
 * The sink's table: created if requested, read, and checked.
 *
 * A1  Every column that can be written is written, identity columns too. A column that only the server fills (GENERATED
 *     ALWAYS AS (…)) is left out of the statements but remembered, so that a record with such a field is reported.
 * A2  `upsertKey` without a unique key on exactly these columns, or with one that is DEFERRABLE, is
 *     MR_SINK_TABLE_UNFIT.
 * A3  A table, or a partition of it, that does not keep its rows together with the position is MR_SINK_TABLE_UNFIT: an
 *     unlogged one is empty after a crash, and a foreign one commits by itself.
 */
import pg from 'pg';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { Catalogue, type ColumnKind } from './column-kind.ts';
import type { PostgresFailureContext } from './failures.ts';
import { qualified, quoted } from './identifiers.ts';
import { needing, onSchema } from './rights.ts';
import { expressionsSql, parseShape, shapeSql, type Shape, type ShapeColumn } from './shape.ts';
import type { CreateTable, PostgresSinkConfig } from './spec.ts';

export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  /** In SQL, without a modifier. */
  readonly type: string;
  /** Its type, or what this is a domain of, likewise. */
  readonly baseType: string;
  /** The same with its modifier when its type is a domain; else null. */
  readonly domainOf: string | null;
  /** What its type, or what this is a domain of, is made of has a domain. */
  readonly isCheckedWithin: boolean;
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
  /** All that the rest was made of (H1). */
  readonly shape: string;
  readonly columns: readonly Column[];
  readonly closed: readonly ClosedColumn[];
  /** Rows go through a temporary table, from which a statement merges them. */
  readonly isStaged: boolean;
  /** Names of its columns. */
  readonly upsertKey: readonly string[];
  /** By column of the key: the operator that its index takes for equality, which the search path need not find. */
  readonly equals: Readonly<Record<string, string>>;
}

/** From this version on COPY accepts a marker for "the default of the column". */
export const copyDefaultsVersion = 160_000;
/** Each may be given or not, and each combination is a statement of its own. */
const mostNumbered = 3;

/** As it is now. Created first, if the spec says so. */
export async function openTable(
  client: pg.Client,
  config: PostgresSinkConfig,
  where: PostgresFailureContext,
  copyDefaultsSince: number,
): Promise<Table> {
  const name = qualified(config.schema, config.table);
  if (config.createTable) {
    const create = createStatement(name, config.createTable);
    await needing(client, [onSchema(config.schema, 'USAGE', 'CREATE')], where, () => client.query(create));
  }
  const look = `SELECT ${shapeSql(name, config.upsertKey)} AS shape`;
  const needs = [onSchema(config.schema, 'USAGE')];
  const { rows } = await needing(client, needs, where, () => client.query<pg.QueryResultRow>(look));
  const text = z.array(z.object({ shape: z.string().nullable() })).parse(rows)[0]?.shape ?? null;
  if (text === null) {
    // Says whether it is the table or its schema. Not as a parameter: that would be an error of a value.
    await client.query(`SELECT ${pg.escapeLiteral(name)}::regclass`);
    const { table, sink, server } = where;
    throw mr('MR_SINK_TABLE_MISSING', { table, sink, server });
  }
  const shape = parseShape(text);
  if (shape === undefined) throw new TypeError(`the catalogue describes the table as ${text}`);
  await checkKeeping(client, shape, name, where);
  checkKey(shape, name, config, where);
  const table = tableOf(shape, text, await readExpressions(client, name), config, copyDefaultsSince);
  checkNumbered(table, where);
  return table;
}

/**
 * As it was when a text was made of it, for rows that are stored already: without what statements need. Undefined when that was
 * another version of Millrace. Pure.
 */
export function tableAsIn(text: string, config: PostgresSinkConfig, copyDefaultsSince: number): Table | undefined {
  const shape = parseShape(text);
  if (shape === undefined) return undefined;
  // Which rows there were followed from the key of that time, too: the spec may name another one now.
  const upsertKey = Object.keys(shape.keys[0]?.equals ?? {});
  return tableOf(shape, text, new Map(), { ...config, upsertKey }, copyDefaultsSince);
}

const expressionRow = z.object({ of: z.string(), name: z.string(), expression: z.string() });
/** By what it is of, and name or oid. */
type Expressions = ReadonlyMap<string, string>;

/** For the rest of the transaction nothing is found but by its full name, so that it means the same in every session. */
async function readExpressions(client: pg.Client, table: string): Promise<Expressions> {
  await client.query("SET LOCAL search_path = ''");
  const { rows } = await client.query<pg.QueryResultRow>(expressionsSql(table));
  const found = z.array(expressionRow).parse(rows);
  return new Map(found.map(({ of, name, expression }) => [`${of} ${name}`, expression]));
}

/** What `createTable` becomes. */
function createStatement(name: string, create: CreateTable): string {
  const lines = create.columns.map((column) => `${quoted(column.name)} ${column.type}`);
  if (create.primaryKey.length > 0) lines.push(`PRIMARY KEY (${create.primaryKey.map(quoted).join(', ')})`);
  return `CREATE TABLE IF NOT EXISTS ${name} (${lines.join(', ')})`;
}

function tableOf(
  shape: Shape,
  text: string,
  expressions: Expressions,
  config: PostgresSinkConfig,
  copyDefaultsSince: number,
): Table {
  const key = config.upsertKey;
  const canCopyDefaults = shape.version >= copyDefaultsSince;
  const catalogue = new Catalogue(shape.types);
  const closed = shape.columns.flatMap((row) => closedColumn(row, key));
  const open = shape.columns.filter((row) => !closed.some((column) => column.name === row.name));
  // COPY refuses a table with policies, where INSERT applies them.
  const isStaged =
    key.length > 0 || shape.has_policies || (!canCopyDefaults && open.some((row) => hasDefault(row, catalogue)));
  const columns = open.map((row) => openColumn(row, key, catalogue, expressions, { isStaged, canCopyDefaults }));
  const name = qualified(config.schema, config.table);
  return { name, shape: text, columns, closed, isStaged, upsertKey: key, equals: shape.keys[0]?.equals ?? {} };
}

function checkNumbered({ columns }: Table, where: PostgresFailureContext): void {
  const numbered = columns.filter(({ isNumbered, missing }) => isNumbered && missing === 'merged');
  if (numbered.length <= mostNumbered) return;
  throw mr('MR_SINK_TABLE_UNFIT', {
    table: where.table,
    sink: where.sink,
    problem: `more than ${mostNumbered} of its columns are numbered by the server (${numbered.map((one) => one.name).join(', ')})`,
    hint: 'Write to a table with fewer identity columns and sequences.',
  });
}

function closedColumn({ name, generated, identity }: ShapeColumn, key: readonly string[]): ClosedColumn[] {
  if (generated !== '') return [{ name, why: 'PostgreSQL computes the column (GENERATED ALWAYS AS)' }];
  if (identity !== 'a' || key.length === 0 || key.includes(name)) return [];
  return [{ name, why: 'an upsert cannot replace an identity that is GENERATED ALWAYS' }];
}

function openColumn(
  row: ShapeColumn,
  key: readonly string[],
  catalogue: Catalogue,
  expressions: Expressions,
  { isStaged, canCopyDefaults }: { readonly isStaged: boolean; readonly canCopyDefaults: boolean },
): Column {
  const { name, type, modifier, identity } = row;
  const constraints = catalogue.constraintsOf(type);
  const own = expressions.get(`column ${name}`) ?? null;
  const isNumbered = identity !== '' || /^(?:pg_catalog\.)?nextval\(/.test(own ?? '');
  const base = catalogue.baseOf(type);
  const mustMerge = isStaged && (isNumbered || !canCopyDefaults);
  return {
    name,
    kind: catalogue.kindOf(type, modifier),
    type: expressions.get(`name ${type}`) ?? '',
    baseType: expressions.get(`name ${base.type}`) ?? '',
    domainOf: expressions.get(`base ${base.domain}`) ?? null,
    isCheckedWithin: catalogue.isChecked(base.type),
    missing: !hasDefault(row, catalogue) ? 'null' : mustMerge ? 'merged' : 'default',
    defaultExpression: own ?? expressions.get(`type ${constraints.defaultOf}`) ?? null,
    isNumbered,
    isIdentity: identity !== '',
    isRequired: row.not_null || key.includes(name) || constraints.isNotNull,
  };
}

function hasDefault(row: ShapeColumn, catalogue: Catalogue): boolean {
  return row.identity !== '' || row.default !== null || catalogue.constraintsOf(row.type).defaultOf !== null;
}

const otherwiseKept = z.array(z.object({ name: z.string(), is_foreign: z.boolean() }));

/** A3. */
async function checkKeeping(
  client: pg.Client,
  { kind }: Shape,
  name: string,
  where: PostgresFailureContext,
): Promise<void> {
  const { rows } = await client.query<pg.QueryResultRow>(
    `SELECT c.relname::text AS name, c.relkind = 'f' AS is_foreign FROM pg_catalog.pg_class c
      WHERE (c.relkind = 'f' OR c.relpersistence <> 'p')
        AND (c.oid = $1::regclass ${kind === 'p' ? 'OR c.oid IN (SELECT relid FROM pg_partition_tree($1::regclass))' : ''})
      ORDER BY c.relname LIMIT 1`,
    [name],
  );
  const [found] = otherwiseKept.parse(rows);
  if (found === undefined) return;
  const { table, sink } = where;
  const problem = found.is_foreign
    ? `${found.name} is a foreign table, which commits by itself: rows could be stored twice`
    : `${found.name} is not logged: after a crash of the server its rows are gone, and the position says that they are there`;
  const hint = found.is_foreign
    ? 'Write to a table of this database, or let the sink connect to the other one.'
    : `Run: ALTER TABLE ${quoted(found.name)} SET LOGGED`;
  throw mr('MR_SINK_TABLE_UNFIT', { table, sink, problem, hint });
}

function checkKey(
  { keys: found }: Shape,
  table: string,
  config: PostgresSinkConfig,
  where: PostgresFailureContext,
): void {
  const key = config.upsertKey;
  if (key.length === 0) return;
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
