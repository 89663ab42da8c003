/**
 * What the sink relies on in its table, as texts that are others when it is: the columns, on which the bytes of a row
 * depend; and the definitions of the table and of all that an insert reaches, on which it depends what is refused, and what
 * an insert is remembered by.
 */
import { createHash } from 'node:crypto';
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { rowsOf } from './ask.ts';
import { digest, membersOf, type Reached } from './reach.ts';

export interface Shape {
  readonly columns: string;
  readonly reached: string;
}

const row = z.object({ part: z.enum(['columns', 'reached']), shape: z.string() });

export function isSame(one: Shape, other: Shape): boolean {
  return one.columns === other.columns && one.reached === other.reached;
}

/** Short enough for every entry of the commit log. */
export function shapeName({ columns, reached }: Shape): string {
  return createHash('sha256').update(`${columns}\n${reached}`).digest('hex').slice(0, 16);
}

/** As it was when it was read. */
export function shapeOfReached(reached: Reached): string {
  return [...new Set(membersOf(reached).map((member) => member.digest))].toSorted().join();
}

/** As it is now. */
export async function shapeOf(client: ClickHouseClient, reached: Reached, signal?: AbortSignal): Promise<Shape> {
  const members = membersOf(reached);
  const rows = await rowsOf(
    client,
    row,
    `SELECT 'columns' AS part, toString(groupArray((name, type, default_kind))) AS shape FROM (
       SELECT name, type, default_kind FROM system.columns
       WHERE database = {database:String} AND table = {table:String} ORDER BY position)
     UNION ALL
     SELECT 'reached' AS part, arrayStringConcat(arraySort(groupUniqArray(${digest})), ',') AS shape FROM system.tables
     WHERE has({databases:Array(String)}, database) AND has({names:Array(String)}, name)
       AND has(arrayZip({databases:Array(String)}, {names:Array(String)}), (database, name))`,
    {
      database: reached.database,
      table: reached.name,
      databases: members.map(({ database }) => database),
      names: members.map(({ name }) => name),
    },
    signal,
  );
  const textOf = (part: keyof Shape) => rows.find((one) => one.part === part)?.shape ?? '';
  return { columns: textOf('columns'), reached: textOf('reached') };
}
