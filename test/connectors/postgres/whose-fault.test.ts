/** Whose fault an error of a statement is: a row's, which becomes a dead letter, or the database's, which is waited for. */
import { deepEqual, ok } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { sink } from '../../../connectors/postgres/index.ts';
import { postgresSinkSpec } from '../../../connectors/postgres/spec.ts';
import { freePort } from '../../../local/ports.ts';
import { startPostgres, type Postgres } from '../../../local/postgres/postgres.ts';
import { MillraceError } from '../../../model/errors.ts';
import type { RecordObject } from '../../../model/value.ts';
import { TestPool } from '../../support/test-pool.ts';
import { batch, noSignal, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';

describe('an error of PostgreSQL', function () {
  let dir: string;
  let postgres: Postgres;
  let connections: TestPool;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-fault-'));
    postgres = await startPostgres({ dir, port: await freePort() });
    connections = new TestPool(postgres.url);
  });

  after(async () => {
    await connections.close();
    await postgres.stop();
    await rm(dir, { recursive: true });
  });

  const run = async (text: string) => (await connections.pool.query<pg.QueryResultRow>(text)).rows as unknown[];

  /** The rows that one batch was refused, or the code of what it waits for. */
  async function outcome(more: { readonly table: string }, records: readonly RecordObject[]) {
    const { host, port, username, password } = postgres;
    const config = postgresSinkSpec.parse({ host, port, username, password, ...more });
    try {
      const connected = await sink.connect(config, sinkContext());
      try {
        const slot = await connected.open({ ...slotId, stage: `sink-${more.table}` });
        const refused = await write(slot, rowsOf(slot, records), batch(0, 1), noSignal);
        const again = await write(slot, rowsOf(slot, records), batch(0, 1), noSignal);
        deepEqual(again, refused, 'repeated, the batch has the same refusals');
        return refused.map(({ row }) => row);
      } finally {
        await connected.close();
      }
    } catch (error) {
      ok(error instanceof MillraceError, String(error));
      return error.code;
    }
  }

  const idsIn = async (table: string) =>
    ((await run(`SELECT id FROM ${table} ORDER BY id`)) as { id: number }[]).map(({ id }) => id);

  /** What a trigger does with id 2. */
  const triggerSaying = (table: string, raise: string, when = 'TRIGGER g BEFORE INSERT') => `
    CREATE FUNCTION ${table}_f() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.id = 2 THEN ${raise}; END IF; RETURN NEW; END $$;
    CREATE ${when.replace(' g ', ` ${table}_g `).replace('INSERT', `INSERT ON ${table}`)} FOR EACH ROW EXECUTE FUNCTION ${table}_f()`;

  for (const offset of [0, 1]) {
    it(`whose text would be cut within a character is stored (${offset})`, async () => {
      const table = `emoji_${offset}`;
      await run(
        `CREATE TABLE ${table} (id int, name text); ${triggerSaying(table, `RAISE EXCEPTION 'not %', NEW.name`)}`,
      );
      const name = 'x'.repeat(offset) + '😀'.repeat(400);
      deepEqual(
        await outcome({ table }, [
          { id: 1, name },
          { id: 2, name },
        ]),
        [1],
      );
      deepEqual(await idsIn(table), [1]);
    });
  }
});
