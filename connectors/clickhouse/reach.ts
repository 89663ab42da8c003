/**
 * What an insert reaches: the table, the views that it triggers, the tables that these write to, and so on.
 *
 * Only what the user may see is included; a view that is hidden from the user shows when it fails.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { rowsOf } from './ask.ts';
import type { Definition } from './definition.ts';

export interface Reached extends Definition {
  readonly database: string;
  readonly name: string;
  readonly engine: string;
  /** Of all that makes it what it is: another one when something of that has changed. */
  readonly digest: string;
  readonly views: readonly ReachedView[];
}

export interface ReachedView {
  readonly database: string;
  readonly name: string;
  readonly select: string;
  readonly digest: string;
  /** Undefined: it is not visible to the user. */
  readonly target: Reached | undefined;
}

const tableRow = z.object({
  database: z.string(),
  name: z.string(),
  engine: z.string(),
  engine_full: z.string(),
  partition_key: z.string(),
  sorting_key: z.string(),
  sampling_key: z.string(),
  dependencies_database: z.array(z.string()),
  dependencies_table: z.array(z.string()),
  as_select: z.string(),
  create_table_query: z.string(),
  uuid: z.string(),
  digest: z.string(),
  /** Newer servers say where a view writes to. */
  target_database: z.string().default(''),
  target_table: z.string().default(''),
});
type TableRow = z.infer<typeof tableRow>;

const indexRow = z.object({ name: z.string(), type_full: z.string(), expr: z.string() });

/** SQL over a row of `system.tables`. Views that are added count as well. */
export const digest =
  'hex(sipHash128(toString((uuid, create_table_query, arraySort(arrayZip(dependencies_database, dependencies_table))))))';

interface Name {
  readonly database: string;
  readonly name: string;
}

/** Depth of views of views: more than is ever built, and a stop if they form a cycle. */
const maxDepth = 8;

/** Undefined: the table does not exist, or the user may not see it. */
export async function reachOf(client: ClickHouseClient, table: Name, depth = 0): Promise<Reached | undefined> {
  const [row] = await describe(client, [table]);
  return row === undefined ? undefined : reachedBy(client, row, depth);
}

async function reachedBy(client: ClickHouseClient, row: TableRow, depth: number): Promise<Reached> {
  const indexes = await rowsOf(
    client,
    indexRow,
    'SELECT name, type_full, expr FROM system.data_skipping_indices WHERE database = {database:String} AND table = {name:String}',
    { database: row.database, name: row.name },
  );
  const dependents = row.dependencies_table.map((name, i) => ({ database: row.dependencies_database[i] ?? '', name }));
  const views: ReachedView[] = [];
  for (const view of depth < maxDepth && dependents.length > 0 ? await describe(client, dependents) : []) {
    if (view.engine !== 'MaterializedView' || isRefreshed(view)) continue;
    // In turn: each answer determines the next question.
    const reached = await reachOf(client, targetOf(view), depth + 1);
    const { database, name, as_select: select, digest } = view;
    views.push({ database, name, select, digest, target: reached });
  }
  return {
    database: row.database,
    name: row.name,
    engine: row.engine,
    digest: row.digest,
    engineFull: row.engine_full,
    createQuery: row.create_table_query,
    partitionKey: row.partition_key,
    sortingKey: row.sorting_key,
    samplingKey: row.sampling_key,
    indexes: indexes.map(({ name, type_full: type, expr: expression }) => ({ name, type, expression })),
    views,
  };
}

function describe(client: ClickHouseClient, tables: readonly Name[]): Promise<readonly TableRow[]> {
  return rowsOf(
    client,
    tableRow,
    `SELECT COLUMNS('^(database|name|engine|engine_full|partition_key|sorting_key|sampling_key|dependencies_database|dependencies_table|as_select|create_table_query|uuid|target_database|target_table)$'), ${digest} AS digest
     FROM system.tables
     WHERE has({databases:Array(String)}, database) AND has({names:Array(String)}, name)
       AND has(arrayZip({databases:Array(String)}, {names:Array(String)}), (database, name))
     ORDER BY database, name`,
    { databases: tables.map(({ database }) => database), names: tables.map(({ name }) => name) },
  );
}

/** A view that a timer runs, not an insert. */
function isRefreshed({ create_table_query: query }: TableRow): boolean {
  return /^CREATE MATERIALIZED VIEW \S+ (?:ON CLUSTER \S+ )?REFRESH /.test(query);
}

const identifier = '(?:`((?:[^`\\\\]|\\\\.)+)`|([A-Za-z_][A-Za-z0-9_]*))';
const toClause = new RegExp(`^CREATE MATERIALIZED VIEW .*? TO ${identifier}\\.${identifier} `);

/** `TO database.table`, or the inner table, whose name is made of the view's id. */
function targetOf(view: TableRow): Name {
  const { create_table_query: query, database, uuid, target_database: said, target_table: saidName } = view;
  if (saidName !== '') return { database: said, name: saidName };
  const head = query.split(' AS SELECT ')[0] ?? '';
  const [, quotedDatabase, plainDatabase, quotedName, plainName] = toClause.exec(`${head} `) ?? [];
  const name = quotedName ?? plainName;
  if (name !== undefined)
    return { database: unescaped(quotedDatabase ?? plainDatabase ?? database), name: unescaped(name) };
  return { database, name: `.inner_id.${uuid}` };
}

function unescaped(name: string): string {
  return name.replaceAll(/\\(.)/g, '$1');
}

/** The table itself and everything after it, views included. */
export function membersOf(reached: Reached): readonly (Reached | ReachedView)[] {
  return tablesOf(reached).flatMap((table) => [table, ...table.views]);
}

/** The table itself and every table after it, each once. */
export function tablesOf(reached: Reached): readonly Reached[] {
  const all = new Map<string, Reached>();
  const visit = (table: Reached) => {
    all.set(`${table.database}.${table.name}`, table);
    for (const { target } of table.views) if (target !== undefined) visit(target);
  };
  visit(reached);
  return [...all.values()];
}
