/**
 * One connection to PostgreSQL, opened when it is needed and dropped when it is in doubt.
 *
 * S1  A transaction ends in COMMIT or ROLLBACK, or its connection ends.
 * S2  The locks of a client that is gone or has frozen do not block the next owner of its slot. The server ends a transaction
 *     that waits for its next statement (`idle_in_transaction_session_timeout`), and one whose node is lost (TCP). One whose
 *     client freezes in the middle of a COPY it does not end, whatever the timeouts: that is done by the next session of
 *     the slot, which is known by its `application_name`.
 */
import { createHash } from 'node:crypto';
import pg from 'pg';
import { z } from 'zod';
import { milliseconds } from '../../model/quantities.ts';
import type { SinkSlotId } from '../connector.ts';
import type { PostgresSinkConfig } from './spec.ts';

/** How a session is named in `pg_stat_activity`. */
export interface SessionName {
  readonly text: string;
  /** Before the text; no other slot has it. Absent: no slot's session. */
  readonly slot?: string;
}

export function sessionName(pipeline: string, sink: string, slot?: SinkSlotId): SessionName {
  const target = `${pipeline}/${sink}`;
  if (slot === undefined) return { text: target };
  const id = createHash('sha256').update(`${slot.pipelineUid}.${slot.stage}.${slot.slot}`).digest('hex').slice(0, 10);
  return { text: `slot ${slot.slot} of ${target}`, slot: id };
}

/** The server keeps the first 63 bytes. */
const shown = (name: string): string => `millrace ${name}`;

export class Session {
  readonly #config: PostgresSinkConfig;
  readonly #name: SessionName;
  #client: pg.Client | undefined;
  /** When the first connection was made, by the server's clock: a later owner of the slot has a later one. */
  #since: string | undefined;

  constructor(config: PostgresSinkConfig, name: SessionName) {
    this.#config = config;
    this.#name = name;
  }

  /** Runs `work` on the connection. An error in `work` ends the connection. */
  async use<T>(work: (client: pg.Client) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const client = this.#client ?? (await this.#connect());
    const drop = () => void this.close();
    signal?.addEventListener('abort', drop, { once: true });
    try {
      return await work(client);
    } catch (error) {
      await this.close();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', drop);
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = newClient(this.#config, this.#name);
    // A connection may break while it is idle; the next use then opens another.
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined;
    });
    await client.connect();
    try {
      await client.query(watched);
      if (this.#name.slot !== undefined) await this.#takeOver(client, this.#name.slot);
    } catch (error) {
      await client.end();
      throw error;
    }
    this.#client = client;
    return client;
  }

  /** S2. */
  async #takeOver(client: pg.Client, slot: string): Promise<void> {
    this.#since ??= await timeOf(client);
    const name = shown(`${slot} ${this.#since} ${this.#name.text}`);
    await client.query("SELECT set_config('application_name', $1, false)", [name]);
    await endEarlier(client, slot, this.#since);
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end();
  }
}

/** The server looks whether the client's host is there; by itself it does so after two hours. */
const watched = `SELECT set_config(name, value, false)
  FROM (VALUES ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '60000')) AS ours (name, value)`;

/** The right to end a session of one's own role may have been taken away: then a lock of it is waited for. */
const insufficientPrivilege = '42501';

const clock = z.tuple([z.object({ now: z.string() })]);

/** Milliseconds since 1970: 13 digits until 2286. */
async function timeOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<pg.QueryResultRow>(
    'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS now',
  );
  return clock.parse(rows)[0].now;
}

/**
 * Transactions that wait for their client, of owners before this one and of its own earlier connections. An earlier owner
 * ends none of a later one, and one that works is waited for.
 */
async function endEarlier(client: pg.Client, slot: string, since: string): Promise<void> {
  const before = shown(`${slot} `);
  try {
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
        WHERE starts_with(application_name, $1) AND substr(application_name, $2, 13) COLLATE "C" <= $3
          AND wait_event_type = 'Client' AND xact_start < now() - interval '2 seconds' AND pid <> pg_backend_pid()
          AND usesysid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)`,
      [before, before.length + 1, since],
    );
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === insufficientPrivilege)) throw error;
  }
}

function newClient(config: PostgresSinkConfig, { text }: SessionName): pg.Client {
  const timeoutMs = milliseconds(config.statementTimeout);
  return new pg.Client({
    host: config.host,
    port: config.port,
    database: config.database,
    user: config.username,
    password: config.password ?? '',
    ssl: tlsOptions(config),
    application_name: shown(text),
    connectionTimeoutMillis: 10_000,
    statement_timeout: timeoutMs,
    lock_timeout: timeoutMs,
    idle_in_transaction_session_timeout: timeoutMs,
    // The server's own timeouts end a slow statement; this one ends a wait for a server that no longer answers.
    query_timeout: timeoutMs + 5_000,
    keepAlive: true,
  });
}

function tlsOptions({ tls }: PostgresSinkConfig): pg.ClientConfig['ssl'] {
  const ca = tls.ca === undefined ? {} : { ca: tls.ca };
  switch (tls.mode) {
    case 'Disable':
      return false;
    case 'Require':
      return { rejectUnauthorized: false };
    case 'VerifyCa':
      return { ...ca, checkServerIdentity: () => undefined };
    case 'VerifyFull':
      return ca;
  }
}
