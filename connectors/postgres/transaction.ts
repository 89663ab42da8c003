/**
 * How every transaction begins, whatever role, database and functions have set.
 *
 * B1  What a value's text or the guarantee depends on is set for the transaction. The texts of dates, times and numbers
 *     are such that no other setting changes what they mean (`./time-text.ts`).
 * B2  What only functions, defaults and policies of the database go by is left as it is: `search_path`, `TimeZone`,
 *     `DateStyle`, `session_replication_role`, ….
 */
import pg from 'pg';

/** In each transaction, not once: a function may change them for the session. */
const settings = (timeoutMs: number): Readonly<Record<string, string>> => ({
  // An array with the text NULL in it would be stored for one with a null.
  array_nulls: 'on',
  // A fragment of a document is a value of type xml, too.
  xmloption: 'content',
  // 1 day -02:00:00
  IntervalStyle: 'postgres',
  // What is the decimal point of type money, and how many digits it has.
  lc_monetary: 'C',
  // In how the catalogue shows a default.
  quote_all_identifiers: 'off',
  // Refuses each statement on a table with a policy, where it should apply the policy.
  row_security: 'on',
  // A row that is refused would end the connection.
  exit_on_error: 'off',
  statement_timeout: String(timeoutMs),
  lock_timeout: String(timeoutMs),
  idle_in_transaction_session_timeout: String(timeoutMs),
  // Since PostgreSQL 17. Ends the connection, and would do so again with each attempt.
  transaction_timeout: '0',
});

/**
 * A statement has to see what others have committed until it begins, which a stricter isolation prevents. Deferred
 * constraints would fail at COMMIT, when no row can be blamed any more. `remote_apply` waits for more than `on` does, so
 * it is kept.
 */
export function beginText(timeoutMs: number): string {
  const values = Object.entries(settings(timeoutMs)).map(([name, value]) => `('${name}', '${value}')`);
  return `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SELECT set_config(name, value, true) FROM (VALUES ${values.join(', ')}) AS ours (name, value)
      WHERE current_setting(name, true) IS NOT NULL;
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') <> 'remote_apply';
    SET CONSTRAINTS ALL IMMEDIATE`;
}

/** Begins a transaction. Throws an Error that says so when the server is a standby, whatever that is called there. */
export async function beginWith(client: pg.Client, begin: string): Promise<void> {
  try {
    await client.query(begin);
  } catch (error) {
    const isStandby = error instanceof pg.DatabaseError && (error.code === '0A000' || error.code === '25006');
    throw isStandby ? new Error('the server is a standby, which takes no rows', { cause: error }) : error;
  }
}

/** For what is no batch. An error leaves the transaction open: the session ends its connection. */
export async function inTransaction<T>(client: pg.Client, begin: string, work: () => Promise<T>): Promise<T> {
  await beginWith(client, begin);
  const result = await work();
  await client.query('COMMIT');
  return result;
}
