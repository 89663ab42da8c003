/**
 * The sink's table: created if requested, read, and checked.
 *
 * A1  A table that could store a repeated insert twice is MR_SINK_TABLE_UNFIT (`./window.ts`).
 * A2  Columns that cannot be written (MATERIALIZED, ALIAS) are left out of the insert but remembered, so that a record
 *     with such a field is reported; a type without an encoder is MR_SINK_TABLE_UNFIT, naming column and type.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { mr, type MillraceError } from '../../model/errors.ts';
import { rowsOf } from './ask.ts';
import { define } from './ddl.ts';
import { compileEncoder } from './encoders.ts';
import type { SinkFailureContext } from '../failure-context.ts';
import { shapeOf, shapeOfReached, type Shape } from './shape.ts';
import { reachOf, type Reached } from './reach.ts';
import type { ClosedColumn, EncodedColumn } from './row-buffer.ts';
import type { ClickHouseSinkConfig, CreateTable } from './spec.ts';
import { checkedWindows, quoted, quotedName, windowSettings, type Window, type Writers } from './window.ts';

export interface OpenedTable {
  /** From before the rest was read, so that a change meanwhile is found later. */
  readonly shape: Shape;
  readonly table: Table;
  readonly reached: Reached;
  /** Of every table that an insert reaches. */
  readonly windows: readonly Window[];
}

export interface Table {
  /** Quoted, with its database. */
  readonly name: string;
  readonly columns: readonly EncodedColumn[];
  readonly closed: readonly ClosedColumn[];
  /** The names of those columns that are not stored (EPHEMERAL). */
  readonly unstored: readonly string[];
}

/** Throws MR_SINK_TABLE_MISSING, MR_SINK_PLACE_MISSING, or A1 or A2. */
export async function openTable(
  client: ClickHouseClient,
  config: ClickHouseSinkConfig,
  writers: Writers,
  where: SinkFailureContext,
): Promise<OpenedTable> {
  const { database, table } = config;
  const name = quotedName({ database, name: table });
  if (config.createTable) await define(client, createStatement(name, config.createTable, writers));
  const reached = await reachOf(client, { database, name: table });
  if (reached === undefined) throw await absent(client, database, where);
  // The columns before they are read again to be written.
  const shape = { ...(await shapeOf(client, reached)), reached: shapeOfReached(reached) };
  const windows = checkedWindows(reached, await windowDefaults(client), writers, where);
  return { table: { name, ...(await readColumns(client, config, where)) }, reached, windows, shape };
}

async function absent(
  client: ClickHouseClient,
  database: string,
  { table, sink, server }: SinkFailureContext,
): Promise<MillraceError> {
  const query = 'SELECT name FROM system.databases WHERE name = {database:String}';
  const found = await rowsOf(client, z.object({ name: z.string() }), query, { database });
  if (found.length > 0) return mr('MR_SINK_TABLE_MISSING', { table, sink, server });
  const problem = `there is no database "${database}" that the user may see`;
  return mr('MR_SINK_PLACE_MISSING', { sink, server, problem });
}

/** Pure, for the test: what `createTable` becomes. */
function createStatement(name: string, create: CreateTable, writers: Writers): string {
  const columns = create.columns.map((column) => `${quoted(column.name)} ${column.type}`);
  return [
    `CREATE TABLE IF NOT EXISTS ${name} (${columns.join(', ')})`,
    `ENGINE = ${create.engine}`,
    ...(create.partitionBy === undefined ? [] : [`PARTITION BY ${create.partitionBy}`]),
    `ORDER BY (${create.orderBy.join(', ')})`,
    `SETTINGS ${windowSettings(create.engine, writers)}`,
  ].join('\n');
}

const settingRow = z.object({ name: z.string(), value: z.coerce.number() });

/** The deduplication window of tables that do not set their own. */
async function windowDefaults(client: ClickHouseClient): Promise<ReadonlyMap<string, number>> {
  const rows = await rowsOf(
    client,
    settingRow,
    `SELECT name, value FROM system.merge_tree_settings WHERE match(name, '^(non_)?replicated_deduplication_window(_seconds)?$')`,
    {},
  );
  return new Map(rows.map(({ name, value }) => [name, value]));
}

const columnRow = z.object({ name: z.string(), type: z.string(), default_kind: z.string() });

async function readColumns(
  client: ClickHouseClient,
  config: ClickHouseSinkConfig,
  where: SinkFailureContext,
): Promise<Omit<Table, 'name'>> {
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
    unstored: open.filter(({ default_kind: kind }) => kind === 'EPHEMERAL').map(({ name }) => name),
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
