import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { sink } from '../../../connectors/postgres/index.ts';
import { postgresSinkSpec, type PostgresSinkConfig } from '../../../connectors/postgres/spec.ts';
import { freePort } from '../../../local/ports.ts';
import { startPostgres, type Postgres } from '../../../local/postgres/postgres.ts';
import { TestPool } from '../../support/test-pool.ts';
import { sinkContext } from '../sink-context.ts';

type Row = Record<string, unknown>;

export class TestPostgres {
  readonly server: Postgres;
  readonly connections: TestPool;

  constructor(server: Postgres) {
    this.server = server;
    this.connections = new TestPool(server.url);
  }

  async run(text: string): Promise<Row[]> {
    return (await this.connections.pool.query<pg.QueryResultRow>(text)).rows;
  }

  /** The sink's own table: it belongs to this user then, whichever test is the first. */
  async makePositions(): Promise<void> {
    await this.run('CREATE TABLE IF NOT EXISTS nothing_written (id int)');
    const connected = await sink.connect(this.config({ table: 'nothing_written' }), sinkContext());
    await connected.close();
  }

  /** Of a sink to it; `more` may name another user. */
  config(more: object): PostgresSinkConfig {
    const { host, port, username, password } = this.server;
    return postgresSinkSpec.parse({ host, port, username, password, ...more });
  }
}

/** For all tests of a `describe`, which calls this: a server of its own, given to `use` before the first one. */
export function withTestPostgres(use: (postgres: TestPostgres) => Promise<unknown> | undefined): void {
  let stop: (() => Promise<void>) | undefined;
  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-postgres-'));
    const postgres = new TestPostgres(await startPostgres({ dir, port: await freePort() }));
    stop = async () => {
      await postgres.connections.close();
      await postgres.server.stop();
      await rm(dir, { recursive: true });
    };
    await use(postgres);
  });
  after(() => stop?.());
}
