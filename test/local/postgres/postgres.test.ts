import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../../local/ports.ts';
import { resolvePostgresBin } from '../../../local/postgres/binaries.ts';
import { startPostgres, type Postgres } from '../../../local/postgres/postgres.ts';

describe('local PostgreSQL', function () {
  let dir: string;
  let postgres: Postgres;

  before(async () => {
    // Below a directory that only its owner may enter, as a checkout in a home directory is.
    dir = await mkdtemp(join(tmpdir(), 'millrace-postgres-'));
    await mkdir(join(dir, 'deep'));
    postgres = await startPostgres({
      dir: join(dir, 'deep'),
      port: await freePort(),
      settings: { wal_level: 'logical' },
    });
  });

  after(async () => {
    await postgres.stop();
    await rm(dir, { recursive: true });
  });

  async function query(text: string, url = postgres.url): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<pg.QueryResultRow>(text)).rows;
    } finally {
      await client.end();
    }
  }

  it('takes the settings it is given', async () => {
    deepEqual(await query('SHOW wal_level'), [{ wal_level: 'logical' }]);
  });

  it('refuses a wrong password', async () => {
    await rejects(
      query('SELECT 1', postgres.url.replace(postgres.password, 'wrong')),
      /password authentication failed/,
    );
  });

  it('keeps committed rows over SIGKILL and restart', async () => {
    await query('CREATE TABLE kept (id int)');
    await query('INSERT INTO kept VALUES (7)');
    await postgres.kill();
    ok(!postgres.isRunning());
    await postgres.restart();
    deepEqual(await query('SELECT id FROM kept'), [{ id: 7 }]);
  });

  it('stops while a client is connected', async () => {
    const client = new pg.Client({ connectionString: postgres.url });
    client.on('error', () => undefined); // The server ends the connection: that is the point.
    await client.connect();
    await postgres.stop();
    equal(postgres.isRunning(), false);
    await postgres.restart();
  });

  it('makes the links of shared libraries that an install script was not allowed to make', async () => {
    const lib = join(await resolvePostgresBin(), '..', 'lib');
    ok((await readdir(lib)).includes('libicuuc.so.60'));
  });
});
