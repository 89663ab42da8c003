/**
 * How far the replica that answers is behind the others.
 *
 * R4  A number is never too small: entries of the replication log that the replica has not read, and inserts that it has
 *     read of and not fetched. It says so of itself only while it has a session with Keeper.
 * R5  Where the server keeps no such numbers (SharedMergeTree), or the user may not see them, the replica is asked to fetch
 *     what there is, for which a right is needed. Without, it is not known.
 */
import { ClickHouseError, type ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { answerTo } from './answer.ts';
import { rowsOf } from './ask.ts';
import { meaningOf } from './failures.ts';
import type { Reached } from './reach.ts';
import { quotedName } from './window.ts';

type Name = Pick<Reached, 'database' | 'name'>;

const replicaRow = z.object({ database: z.string(), table: z.string(), behind: z.coerce.number() });

/** Each table by its quoted name; undefined: not known. */
export async function lagOf(
  client: ClickHouseClient,
  tables: readonly Name[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number | undefined>> {
  if (tables.length === 0) return new Map();
  const known = await toldBy(client, tables, signal);
  const lag = new Map<string, number | undefined>();
  for (const table of tables) {
    const row = known.find((one) => one.database === table.database && one.table === table.name);
    // In turn: there are few, and each may take its time.
    const behind = row?.behind ?? ((await hasFetched(client, table, signal)) ? 0 : undefined);
    lag.set(quotedName(table), behind);
  }
  return lag;
}

/** R4. */
async function toldBy(client: ClickHouseClient, tables: readonly Name[], signal: AbortSignal) {
  const query = `SELECT database, table, greatest(0, toInt64(log_max_index) + 1 - toInt64(log_pointer)) + inserts_in_queue AS behind
     FROM system.replicas
     WHERE has(arrayZip({databases:Array(String)}, {names:Array(String)}), (database, table))
       AND NOT is_session_expired AND total_replicas > 0`;
  const params = { databases: tables.map(({ database }) => database), names: tables.map(({ name }) => name) };
  return (await unlessDenied(() => rowsOf(client, replicaRow, query, params, signal))) ?? [];
}

/** R5. */
async function hasFetched(client: ClickHouseClient, table: Name, signal: AbortSignal): Promise<boolean> {
  const query = `SYSTEM SYNC REPLICA ${quotedName(table)} LIGHTWEIGHT`;
  return (await unlessDenied(() => answerTo(client, { query, signal }))) !== undefined;
}

/** Undefined: the user may not, or the server does not know how. */
async function unlessDenied<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    const meaning = meaningOf(error);
    if (error instanceof ClickHouseError && (meaning === 'privilege' || meaning === 'unfit')) return undefined;
    throw error;
  }
}
