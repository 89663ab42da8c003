/**
 * What the sink relies on in its table, as texts that are others when it is: the columns, on which the bytes of a row
 * depend, and the engine with its settings, the views, and the id of the table.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { rowsOf } from './ask.ts';

export interface Shape {
  readonly columns: string;
  readonly rest: string;
}

const row = z.object({ part: z.enum(['columns', 'rest']), shape: z.string() });

export function isSame(one: Shape, other: Shape): boolean {
  return one.columns === other.columns && one.rest === other.rest;
}

export async function shapeOf(
  client: ClickHouseClient,
  name: { readonly database: string; readonly table: string },
  signal?: AbortSignal,
): Promise<Shape> {
  const rows = await rowsOf(
    client,
    row,
    `SELECT 'columns' AS part, toString(groupArray((name, type, default_kind))) AS shape FROM (
       SELECT name, type, default_kind FROM system.columns
       WHERE database = {database:String} AND table = {table:String} ORDER BY position)
     UNION ALL
     SELECT 'rest' AS part, toString((uuid, engine_full, arraySort(arrayZip(dependencies_database, dependencies_table)))) AS shape
     FROM system.tables WHERE database = {database:String} AND name = {table:String}`,
    name,
    signal,
  );
  const textOf = (part: keyof Shape) => rows.find((one) => one.part === part)?.shape ?? '';
  return { columns: textOf('columns'), rest: textOf('rest') };
}
