/**
 * PostgreSQL that goes back (failover to a replica that lagged, a restored backup) under a sink slot at work: real
 * server, real streams. At v0.1, 2,000 of 6,000 rows were missing and the connection was shown as healthy.
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { z } from 'zod';
import type { Sink } from '../../../connectors/connector.ts';
import { sink } from '../../../connectors/postgres/index.ts';
import { postgresSinkSpec } from '../../../connectors/postgres/spec.ts';
import { freePort } from '../../../local/ports.ts';
import { startPostgres, type Postgres } from '../../../local/postgres/postgres.ts';
import { commitsEdge, commitSubject, edgeStream, frameSubject } from '../../../model/names.ts';
import type { Plan } from '../../../model/plan.ts';
import type { Streams } from '../../../stream/connection.ts';
import { EdgeWriter } from '../../../stream/edge-writer.ts';
import { isDrained } from '../../../stream/drained.ts';
import { committedOf, ensurePipelineStreams, makePipelineStreams } from '../../../stream/streams.ts';
import { listening } from '../../../workers/sink/listening.ts';
import { frameOf } from '../../stream/support/frames.ts';
import { startTestServer, testPlan, type TestServer } from '../../stream/support/server.ts';
import { eagerClock } from '../../stream/support/stages.ts';
import { eventually } from '../../support/eventually.ts';
import { noSignal, sinkContext } from '../sink-context.ts';
import { TestPool } from '../../support/test-pool.ts';
import { sinkSlotAtWork } from '../slot-at-work.ts';

describe('PostgreSQL that goes back', function () {
  let dir: string;
  let postgres: Postgres;
  let server: TestServer;
  let streams: Streams;
  let connections: TestPool;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-back-'));
    [postgres, server] = await Promise.all([startPostgres({ dir, port: await freePort() }), startTestServer()]);
    streams = await server.connect();
    connections = new TestPool(postgres.url);
    connections.pool.on('error', () => undefined); // Connections that rest end with the server.
  });

  after(async () => {
    await server.stop();
    await connections.close();
    await postgres.stop();
    await rm(dir, { recursive: true });
  });

  const run = async (text: string) => (await connections.pool.query<pg.QueryResultRow>(text)).rows as unknown[];
  const rowsIn = async (table: string) => {
    const rows = (await run(`SELECT n FROM ${table} ORDER BY n`)) as { n: number }[];
    return rows.map(({ n }) => n);
  };

  async function write(plan: Plan, first: number, count: number): Promise<void> {
    const of = { streams, pid: plan.pipeline.pid, edge: 'main', shard: 0, writer: 'orders-0' };
    const writer = await EdgeWriter.open({ ...of, clock: eagerClock, random: () => 0.5 }, noSignal);
    for (let n = first; n < first + count; n += 100) {
      const values = Array.from({ length: 100 }, (_, i) => JSON.stringify({ n: n + i }));
      await writer.append(frameOf(values, n, writer.link(1)), noSignal);
    }
  }

  function work(plan: Plan, table: string, onPositionLost = 'Stop', more: object = {}, killed = false) {
    const { host, port, username, password } = postgres;
    const config = postgresSinkSpec.parse({ host, port, username, password, table, onPositionLost, ...more });
    return sinkSlotAtWork(streams, plan, () => sink.connect(config, sinkContext()), killed);
  }

  const drained = (plan: Plan) => eventually(async () => (await isDrained(streams, plan)).drained);

  /** 6,000 rows are committed and their frames swept; then the server has what it had after 4,000. */
  async function wentBack(table: string) {
    const plan = testPlan({ shards: 1, batch: { maxRecords: 1_000, maxBytes: 2 ** 20, maxDelayMs: 20 } });
    await ensurePipelineStreams(streams, plan);
    await run(`CREATE TABLE ${table} (n int)`);
    const slot = work(plan, table);
    await write(plan, 0, 4_000);
    await drained(plan);
    const where = `pipeline_uid = '${plan.pipeline.uid}'`;
    await run(`CREATE TABLE ${table}_old AS SELECT * FROM millrace_positions WHERE ${where}`);
    await write(plan, 4_000, 2_000);
    await drained(plan);
    await slot.stop();
    await run(`DELETE FROM ${table} WHERE n >= 4000; DELETE FROM millrace_positions WHERE ${where};
      INSERT INTO millrace_positions SELECT * FROM ${table}_old`);
    const committed = await committedOf(streams, plan.pipeline.pid, 'sink-warehouse', 0);
    const sweep = () =>
      streams.purgeStream(edgeStream(plan.pipeline.pid, 'main'), {
        filter: frameSubject(plan.pipeline.pid, 'main', 0, 'orders-0'),
        seq: committed,
      });
    return { plan, committed, sweep };
  }

  const upTo = (end: number) => Array.from({ length: end }, (_, n) => n);

  it('stops the slot, which names both positions and writes nothing, though its frames are swept', async () => {
    const { plan, committed, sweep } = await wentBack('back');
    await sweep();
    const slot = work(plan, 'back');
    await write(plan, 6_000, 500);
    await eventually(() => slot.said.some((error) => error?.code === 'MR_SINK_POSITION_LOST'));
    const error = slot.said.find((one) => one?.code === 'MR_SINK_POSITION_LOST');
    match(
      error!.sentence,
      new RegExp(`up to frame \\d+, but the commit log says ${committed}: the sink was rolled back`),
    );
    match(error!.sentence, /`millrace decide test -n default sink-warehouse\.1 reread` .* `accept-loss`/);
    await slot.stop();
    deepEqual(await rowsIn('back'), upTo(4_000));
    equal((await isDrained(streams, plan)).drained, false);
  });

  it('under a slot at work ends its run at the next batch, and the next run says why', async () => {
    const plan = testPlan({ shards: 1, batch: { maxRecords: 1_000, maxBytes: 2 ** 20, maxDelayMs: 20 } });
    await ensurePipelineStreams(streams, plan);
    await run('CREATE TABLE live (n int)');
    await write(plan, 0, 1_000);
    const first = work(plan, 'live');
    await drained(plan);
    await run(`UPDATE millrace_positions SET position = 3 WHERE pipeline_uid = '${plan.pipeline.uid}'`);
    let isOver = false;
    void first.done.then(() => (isOver = true));
    await write(plan, 1_000, 500);
    await eventually(async () => isOver || (await rowsIn('live')).length > 1_000);
    deepEqual([isOver, await rowsIn('live')], [true, upTo(1_000)]);
    await first.stop();
    const next = work(plan, 'live');
    await eventually(() => next.said.some((error) => error?.code === 'MR_SINK_POSITION_LOST'));
    await next.stop();
    deepEqual(await rowsIn('live'), upTo(1_000));
  });

  it('goes on by itself when the row is restored, without what is restored with it being written again', async () => {
    const { plan, committed } = await wentBack('restored');
    const slot = work(plan, 'restored');
    await eventually(() => slot.said.some((error) => error?.code === 'MR_SINK_POSITION_LOST'));
    await run(`INSERT INTO restored SELECT generate_series(4000, 5999);
      UPDATE millrace_positions SET position = ${committed} WHERE pipeline_uid = '${plan.pipeline.uid}'`);
    await write(plan, 6_000, 500);
    await drained(plan);
    deepEqual(await rowsIn('restored'), upTo(6_500));
    await slot.stop();
  });

  it('goes on with what the edge still holds when the spec says Reread', async () => {
    const { plan } = await wentBack('reread');
    const slot = work(plan, 'reread', 'Reread');
    await write(plan, 6_000, 500);
    await eventually(async () => (await rowsIn('reread')).length >= 6_500);
    deepEqual(await rowsIn('reread'), upTo(6_500));
    await slot.stop();
  });

  it('goes on without what is missing when the spec says Continue', async () => {
    const { plan, sweep } = await wentBack('continued');
    await sweep();
    const slot = work(plan, 'continued', 'Continue');
    await write(plan, 6_000, 500);
    await drained(plan);
    deepEqual(await rowsIn('continued'), [...upTo(4_000), ...upTo(6_500).slice(6_000)]);
    await slot.stop();
  });

  for (const [what, position, wanted] of [
    ['asks a person where the position is in another schema', { schema: 'elsewhere' }, 'asks'],
    ['writes nothing twice where only the table is another', {}, 'goes on'],
  ] as const) {
    it(`after an edit of the target while a batch is open ${what}`, async () => {
      const name = wanted === 'asks' ? 'moved' : 'renamed';
      const plan = testPlan({ shards: 1, batch: { maxRecords: 100, maxBytes: 2 ** 20, maxDelayMs: 20 } });
      await ensurePipelineStreams(streams, plan);
      await run(`CREATE SCHEMA IF NOT EXISTS elsewhere;
        CREATE TABLE ${name} (n int); CREATE TABLE ${name}_new (n int); CREATE TABLE elsewhere.${name}_new (n int)`);
      await write(plan, 0, 100);
      await work(plan, name, 'Stop', {}, true).done;
      const next = work(plan, `${name}_new`, 'Stop', position);
      if (wanted === 'asks') {
        await eventually(() => next.said.some((error) => error?.code === 'MR_SINK_POSITION_LOST'));
        match(next.said.at(-1)!.sentence, /may be stored in .*public, and the sink writes to .*elsewhere now/);
      } else {
        await write(plan, 100, 100);
        await drained(plan);
        deepEqual(await rowsIn(`${name}_new`), upTo(200).slice(100));
      }
      await next.stop();
      deepEqual(await rowsIn(name), upTo(100));
      deepEqual(await rowsIn(`elsewhere.${name}_new`), []);
    });
  }

  /** Each of `stays` is written to in turn, and gets 100 rows. */
  async function moving(name: string, stays: readonly string[]) {
    const plan = testPlan({ shards: 1, batch: { maxRecords: 100, maxBytes: 2 ** 20, maxDelayMs: 20 } });
    await ensurePipelineStreams(streams, plan);
    for (const schema of new Set(stays)) {
      await run(`CREATE SCHEMA IF NOT EXISTS ${schema}; CREATE TABLE ${schema}.${name} (n int)`);
    }
    const said: unknown[] = [];
    for (const [at, schema] of stays.entries()) {
      await write(plan, 100 * at, 100);
      const slot = work(plan, name, 'Stop', { schema });
      await drained(plan);
      said.push(...slot.said.filter((error) => error !== undefined));
      await slot.stop();
    }
    return { plan, said };
  }

  it('K8: that is left for another schema and come back to goes on without a question, each row once', async () => {
    const { said } = await moving('toured', ['one', 'two', 'one', 'three', 'two']);
    deepEqual(said, []);
    const part = (...stays: number[]) => stays.flatMap((at) => upTo(100).map((n) => 100 * at + n));
    deepEqual(await rowsIn('one.toured'), part(0, 2));
    deepEqual(await rowsIn('two.toured'), part(1, 4));
    deepEqual(await rowsIn('three.toured'), part(3));
  });

  it('K8: that has lost rows since the sink moved there is asked about', async () => {
    const { plan } = await moving('emptied', ['one', 'two']);
    await run(`DELETE FROM two.millrace_positions WHERE pipeline_uid = '${plan.pipeline.uid}'`);
    const slot = work(plan, 'emptied', 'Stop', { schema: 'two' });
    await eventually(() => slot.said.some((error) => error?.code === 'MR_SINK_POSITION_LOST'));
    match(slot.said.at(-1)!.sentence, /the sink was rolled back/);
    await slot.stop();
  });

  it('K8: a replica that lagged, under another address, is asked about', async () => {
    const { plan } = await moving('lagged', ['one', 'one']);
    await run(`CREATE SCHEMA replica; CREATE TABLE replica.lagged (n int);
      CREATE TABLE replica.millrace_positions (LIKE one.millrace_positions INCLUDING ALL);
      INSERT INTO replica.millrace_positions
        SELECT * FROM one.millrace_positions WHERE pipeline_uid = '${plan.pipeline.uid}';
      UPDATE replica.millrace_positions SET position = position - 1`);
    const slot = work(plan, 'lagged', 'Stop', { schema: 'replica' });
    await eventually(() => slot.said.some((error) => error?.code === 'MR_SINK_POSITION_LOST'));
    match(slot.said.at(-1)!.sentence, /an older position that this sink did not leave there/);
    await slot.stop();
  });

  it('K8: a batch that was begun in the next target is not repeated in the one that was left', async () => {
    const { plan } = await moving('returned', ['one']);
    await run(`CREATE SCHEMA IF NOT EXISTS two; CREATE TABLE two.returned (n int)`);
    await write(plan, 100, 100);
    await work(plan, 'returned', 'Stop', { schema: 'two' }, true).done;
    const slot = work(plan, 'returned', 'Stop', { schema: 'one' });
    await eventually(() => slot.said.some((error) => error?.code === 'MR_SINK_POSITION_LOST'));
    match(slot.said.at(-1)!.sentence, /may be stored in .*two, and the sink writes to .*one now/);
    await slot.stop();
    deepEqual(await rowsIn('one.returned'), upTo(100));
    deepEqual(await rowsIn('two.returned'), upTo(200).slice(100));
  });

  it('is the same target when its address is hidden by now, and nothing of it stays in the log', async () => {
    const { plan } = await moving('hidden', ['own']);
    const { host, port, username, password } = postgres;
    const config = postgresSinkSpec.parse({ host, port, username, password, table: 'hidden', schema: 'own' });
    const hide = (text: string) => text.replaceAll(host, '$(secret:pg/host)');
    const slot = sinkSlotAtWork(streams, plan, async () => {
      const connected = await sink.connect(config, sinkContext());
      const open: Sink['open'] = async (id) => listening(await connected.open(id), { asking: () => undefined }, hide);
      return { open, close: () => connected.close() };
    });
    await write(plan, 100, 100);
    await drained(plan);
    await slot.stop();
    deepEqual(
      slot.said.filter((error) => error !== undefined),
      [],
    );
    deepEqual(await rowsIn('own.hidden'), upTo(200));
    const { pid } = plan.pipeline;
    const subject = commitSubject(pid, 'sink-warehouse', 0);
    const entry = await streams.getMessage(edgeStream(pid, commitsEdge), { last_by_subj: subject });
    const said = z.record(z.string(), z.unknown()).parse(JSON.parse(Buffer.from(entry!.data).toString()));
    match(String(said['target']), /^\$\(secret:pg\/host\):[0-9]+\/postgres\.own #[0-9a-f]{16}$/);
    deepEqual([said['left'], JSON.stringify(said).includes(host)], [undefined, false]);
  });

  it('waits for a decision when its edge was deleted and made again, and writes nothing', async () => {
    const { plan } = await wentBack('remade');
    await streams.deleteStream(edgeStream(plan.pipeline.pid, 'main'));
    await makePipelineStreams(streams, plan);
    const slot = work(plan, 'remade');
    await eventually(() => slot.waits.some(([, code]) => code === 'MR_EDGE_LOST'));
    await slot.stop();
    deepEqual(await rowsIn('remade'), upTo(4_000));
  });
});
