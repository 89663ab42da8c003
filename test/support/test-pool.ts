/**
 * Connections of a test to PostgreSQL. A pool of `pg` has ended before its connections are closed; a server that stops in
 * between tells them so, and nobody listens.
 */
import { once } from 'node:events';
import pg from 'pg';

export class TestPool {
  readonly pool: pg.Pool;
  readonly #open = new Set<pg.PoolClient>();

  constructor(url: string) {
    this.pool = new pg.Pool({ connectionString: url });
    this.pool.on('connect', (client) => void this.#open.add(client));
    this.pool.on('remove', (client) => void this.#open.delete(client));
  }

  #closed: Promise<void> | undefined;

  /** Resolves when every connection is closed. */
  close(): Promise<void> {
    return (this.#closed ??= this.#end());
  }

  async #end(): Promise<void> {
    await this.pool.end();
    while (this.#open.size > 0) await once(this.pool, 'remove');
  }
}
