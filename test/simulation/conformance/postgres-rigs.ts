/** A PostgreSQL server with the connector in front of it, and the model of both. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import type { Sink } from '../../../connectors/connector.ts';
import { sink } from '../../../connectors/postgres/index.ts';
import { postgresSinkSpec } from '../../../connectors/postgres/spec.ts';
import { freePort } from '../../../local/ports.ts';
import { startPostgres, type Postgres } from '../../../local/postgres/postgres.ts';
import type { PositionedSinkSlot } from '../../../stream/sink-port.ts';
import { sinkContext } from '../../connectors/sink-context.ts';
import { TestPool } from '../../support/test-pool.ts';
import { PositionedSlot, PositionedTable } from '../outside/postgres.ts';
import { openWay, type RealWay } from './real-way.ts';
import { ModelSite } from './model-site.ts';
import type { SinkBench, SinkRig } from './sink-bench.ts';

export interface PostgresBench extends SinkBench<PositionedSinkSlot> {
  /** The COMMIT is carried out, and its answer is lost. */
  losingCommit<T>(ask: () => Promise<T>): Promise<T>;
  /** What a standby has of now; to be gone back to. */
  copy(): Promise<() => Promise<void>>;
}

export type PostgresRig = SinkRig<PostgresBench, Record<string, never>>;

export function realPostgres(): PostgresRig {
  let dir: string;
  let postgres: Postgres;
  let connections: TestPool;
  let way: RealWay;
  let tables = 0;
  const run = async (text: string) => (await connections.pool.query<pg.QueryResultRow>(text)).rows as unknown[];
  return {
    name: 'PostgreSQL and its connector',
    async open() {
      dir = await mkdtemp(join(tmpdir(), 'millrace-conformance-'));
      postgres = await startPostgres({ dir, port: await freePort() });
      connections = new TestPool(postgres.url);
      way = await openWay(postgres.port);
    },
    async run(_options, question) {
      const table = `orders${++tables}`;
      const schema = `of_${table}`;
      await run(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.${table}
        (id text, kind text, plan text, "refusedBy" text CHECK ("refusedBy" <> '${table}'))`);
      const sinks: Sink[] = [];
      const { host, username, password } = postgres;
      const config = postgresSinkSpec.parse({ host, port: way.port, username, password, schema, table });
      const bench: PostgresBench = {
        table,
        async open(slot = 0, stage = 'sink-one') {
          const connected = await sink.connect(config, sinkContext());
          sinks.push(connected);
          const opened = await connected.open({ pipelineUid: 'uid', stage, slot });
          if (opened.positionIn !== 'sink') throw new TypeError('PostgreSQL keeps the position');
          return opened;
        },
        async rows() {
          const found = await run(`SELECT concat_ws(' ', id, kind, plan) AS text FROM ${schema}.${table}`);
          return (found as { text: string }[]).map(({ text }) => text).sort();
        },
        on: (what, ask) => way.on(what, ask),
        losingCommit: (ask) => way.losingAnswerTo('COMMIT\0', ask),
        async copy() {
          const copied = `copy_${++tables}`;
          const both = [table, 'millrace_positions'];
          await run(`CREATE SCHEMA ${copied};
            ${both.map((one) => `CREATE TABLE ${copied}.${one} AS SELECT * FROM ${schema}.${one}`).join(';')}`);
          const back = both.map(
            (one) => `DELETE FROM ${schema}.${one}; INSERT INTO ${schema}.${one} SELECT * FROM ${copied}.${one}`,
          );
          return async () => {
            await run(`BEGIN; ${back.join(';')}; COMMIT`);
          };
        },
      };
      try {
        await question(bench);
      } finally {
        await Promise.all(sinks.map((one) => one.close()));
      }
    },
    async close() {
      await way.close();
      await connections.close();
      await postgres.stop();
      await rm(dir, { recursive: true });
    },
  };
}

export function modelledPostgres(): PostgresRig {
  return {
    name: 'the model',
    open: () => Promise.resolve(),
    async run(_options, question) {
      const site = new ModelSite();
      const table = new PositionedTable('orders', site.remote);
      await site.answer(
        question({
          table: 'orders',
          open: (slot = 0, stage = 'sink-one') =>
            Promise.resolve(new PositionedSlot(table, site.pod(), `${stage}.${slot}`, site.keeper)),
          rows: () => Promise.resolve(site.rows),
          on: (way, ask) => site.on(way, ask),
          losingCommit: (ask) => site.losingAnswerTo('transaction', ask),
          copy() {
            const { transactions } = table;
            return Promise.resolve(() => Promise.resolve(table.failOver(table.transactions - transactions)));
          },
        }),
      );
    },
    close: () => Promise.resolve(),
  };
}
