/**
 * The sink's table: made if asked, read, and checked.
 *
 * A1  A table that would store a repeated insert twice is MR_SINK_TABLE_UNFIT, with the statement that repairs it.
 * A2  Columns that cannot be written (MATERIALIZED, ALIAS) are left out of the insert, and known, so that a record with
 *     such a field is told; a type that has no encoder is MR_SINK_TABLE_UNFIT, naming column and type.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { compileEncoder } from './encoders.ts';
import type { Where } from './failures.ts';
import type { ClosedColumn, EncodedColumn } from './row-buffer.ts';
import type { ClickHouseSinkConfig, CreateTable } from './spec.ts';

/** Inserts that a table made here remembers. */
const wantedWindow = 10_000;
/** Fewer than this, and the inserts of the other slots could push an insert out before it is repeated. */
const smallestWindow = 100;

export interface Table {
  /** Quoted, with its database. */
  readonly name: string;
  readonly columns: readonly EncodedColumn[];
  readonly closed: readonly ClosedColumn[];
}

export function quoted(name: string): string {
  return `\`${name.replaceAll(/[\\`]/g, '\\$&')}\``;
}

export function tableName({ database, table }: ClickHouseSinkConfig): string {
  return `${quoted(database)}.${quoted(table)}`;
}

export async function openTable(client: ClickHouseClient, config: ClickHouseSinkConfig, where: Where): Promise<Table> {
  const name = tableName(config);
  if (config.createTable) await client.command({ query: createStatement(name, config.createTable) });
  await checkDeduplication(client, config, where);
  return { name, ...(await readColumns(client, config, where)) };
}

/** Pure, for the test: what `createTable` becomes. */
export function createStatement(name: string, create: CreateTable): string {
  const columns = create.columns.map((column) => `${quoted(column.name)} ${column.type}`);
  const window = /^(Replicated|Shared)/.test(create.engine)
    ? `replicated_deduplication_window = ${wantedWindow}, replicated_deduplication_window_seconds = 604800`
    : `non_replicated_deduplication_window = ${wantedWindow}`;
  return [
    `CREATE TABLE IF NOT EXISTS ${name} (${columns.join(', ')})`,
    `ENGINE = ${create.engine}`,
    ...(create.partitionBy === undefined ? [] : [`PARTITION BY ${create.partitionBy}`]),
    `ORDER BY (${create.orderBy.join(', ')})`,
    `SETTINGS ${window}`,
  ].join('\n');
}

const tableRow = z.object({ engine: z.string(), engine_full: z.string() });
const settingRow = z.object({ value: z.string() });

async function checkDeduplication(client: ClickHouseClient, config: ClickHouseSinkConfig, where: Where): Promise<void> {
  const [table] = await rowsOf(
    client,
    tableRow,
    'SELECT engine, engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    { database: config.database, table: config.table },
  );
  if (table === undefined) {
    throw mr('MR_SINK_TABLE_MISSING', { table: where.table, sink: where.sink, server: where.server });
  }
  if (!table.engine.endsWith('MergeTree')) {
    throw mr('MR_SINK_TABLE_UNFIT', {
      table: where.table,
      sink: where.sink,
      problem: `engine ${table.engine} would store a repeated insert twice`,
      hint: 'Write to a table of the MergeTree family; a view can fill others from it.',
    });
  }
  const isReplicated = /^(Replicated|Shared)/.test(table.engine);
  const setting = `${isReplicated ? '' : 'non_'}replicated_deduplication_window`;
  const window = await windowOf(client, setting, table.engine_full);
  if (window >= smallestWindow) return;
  throw mr('MR_SINK_TABLE_UNFIT', {
    table: where.table,
    sink: where.sink,
    problem: `${setting} is ${window}, so that a repeated insert is stored twice`,
    hint: `Run: ALTER TABLE ${tableName(config)} MODIFY SETTING ${setting} = ${wantedWindow}`,
  });
}

async function windowOf(client: ClickHouseClient, setting: string, engine: string): Promise<number> {
  // Without the boundary, the replicated setting would be found inside the other one's name.
  const ownValue = new RegExp(`\\b${setting}\\s*=\\s*'?([0-9]+)`).exec(engine)?.[1];
  if (ownValue !== undefined) return Number(ownValue);
  const query = 'SELECT value FROM system.merge_tree_settings WHERE name = {setting:String}';
  const [row] = await rowsOf(client, settingRow, query, { setting });
  return Number(row?.value ?? 0);
}

const columnRow = z.object({ name: z.string(), type: z.string(), default_kind: z.string() });

async function readColumns(
  client: ClickHouseClient,
  config: ClickHouseSinkConfig,
  where: Where,
): Promise<Pick<Table, 'columns' | 'closed'>> {
  const rows = await rowsOf(
    client,
    columnRow,
    `SELECT name, type, default_kind FROM system.columns
     WHERE database = {database:String} AND table = {table:String} ORDER BY position`,
    { database: config.database, table: config.table },
  );
  const closed = rows.filter(({ default_kind: kind }) => kind === 'MATERIALIZED' || kind === 'ALIAS');
  const open = rows.filter((row) => !closed.includes(row));
  return {
    closed: closed.map(({ name, default_kind: kind }) => ({ name, kind })),
    columns: open.map(({ name, type, default_kind: kind }) => {
      const encoder = compileEncoder(type);
      // EPHEMERAL: not stored, and there for the DEFAULT expressions of others; it has a default of its own.
      if (encoder) return { name, type, hasDefault: kind !== '', encoder };
      throw mr('MR_SINK_TABLE_UNFIT', {
        table: where.table,
        sink: where.sink,
        problem: `column "${name}" has type ${type}, which Millrace cannot write`,
        hint: 'Write to a column of another type and convert it with a MATERIALIZED column or a view.',
      });
    }),
  };
}

async function rowsOf<T>(
  client: ClickHouseClient,
  row: z.ZodType<T>,
  query: string,
  params: Readonly<Record<string, string>>,
): Promise<readonly T[]> {
  const result = await client.query({ query, query_params: params, format: 'JSONEachRow' });
  return z.array(row).parse(await result.json());
}
