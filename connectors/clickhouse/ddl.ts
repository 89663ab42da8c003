/**
 * Statements that make or drop a table.
 *
 * N1  In a database of engine Replicated such a statement waits for the other servers: only for those that are there, and
 *     for a bounded time. A server that is gone for good would otherwise hold up each of them for minutes.
 * N2  A server that does not know how, or a user who may not ask for it, does as it is configured.
 */
import { ClickHouseError, type ClickHouseClient, type ClickHouseSettings } from '@clickhouse/client';
import { answerTo } from './answer.ts';

/** The first that the server knows counts: the second is some versions older, and each older than the names of it. */
const modes = ['none_only_active', 'null_status_on_timeout_only_active'] as const;
/** Below the timeout of a request. */
const waitSeconds = '20';

/** BAD_ARGUMENTS and UNKNOWN_SETTING: of an older server. READONLY and SETTING_CONSTRAINT_VIOLATION: of a profile. */
const unknown = new Set(['36', '115', '164', '452']);

const settingsOf = new WeakMap<ClickHouseClient, ClickHouseSettings>();

export async function define(
  client: ClickHouseClient,
  query: string,
  settings: ClickHouseSettings = {},
): Promise<void> {
  await answerTo(client, { query, settings: { ...settings, ...(await patience(client)) } });
}

/** N1, asked for once a connection. */
async function patience(client: ClickHouseClient): Promise<ClickHouseSettings> {
  const known = settingsOf.get(client);
  if (known !== undefined) return known;
  for (const mode of modes) {
    // The client's types know no mode that is younger than they are.
    const settings: ClickHouseSettings = Object.fromEntries([
      ['distributed_ddl_output_mode', mode],
      ['distributed_ddl_task_timeout', waitSeconds],
    ]);
    // In turn: the first that is taken is the one.
    if (!(await isTaken(client, settings))) continue;
    settingsOf.set(client, settings);
    return settings;
  }
  settingsOf.set(client, {});
  return {};
}

async function isTaken(client: ClickHouseClient, settings: ClickHouseSettings): Promise<boolean> {
  try {
    await answerTo(client, { query: 'SELECT 1', settings });
    return true;
  } catch (error) {
    if (error instanceof ClickHouseError && unknown.has(error.code)) return false;
    throw error;
  }
}
