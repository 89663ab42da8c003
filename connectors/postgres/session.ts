/**
 * One connection to PostgreSQL, opened when it is needed and dropped when it is in doubt.
 *
 * S1  A transaction ends in COMMIT or ROLLBACK, or its connection ends.
 * S2  The server ends a transaction whose client has frozen (`idle_in_transaction_session_timeout`), so that its
 *     locks do not block the next owner.
 */
import pg from 'pg';
import { milliseconds } from '../../model/quantities.ts';
import type { PostgresSinkConfig } from './spec.ts';

export class Session {
  readonly #config: PostgresSinkConfig;
  #client: pg.Client | undefined;

  constructor(config: PostgresSinkConfig) {
    this.#config = config;
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
    const client = newClient(this.#config);
    // A connection may break while it is idle; the next use then opens another.
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined;
    });
    await client.connect();
    this.#client = client;
    return client;
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end();
  }
}

function newClient(config: PostgresSinkConfig): pg.Client {
  const timeoutMs = milliseconds(config.statementTimeout);
  return new pg.Client({
    host: config.host,
    port: config.port,
    database: config.database,
    user: config.username,
    password: config.password ?? '',
    ssl: tlsOptions(config),
    application_name: 'millrace',
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
