import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Streams } from '../../../stream/connection.ts';
import { readDeadLetters } from '../../../stream/dead-letters.ts';
import { readPodReports } from '../../../stream/pod-report.ts';
import { isDrained } from '../../../stream/drained.ts';
import { ensurePipelineStreams, ensureSharedStreams } from '../../../stream/streams.ts';
import { startTestServer, type TestServer } from '../../stream/support/server.ts';
import { eventually } from '../../support/eventually.ts';
import { rowsIn } from '../pod/file-sink.ts';
import { podBench, type BenchOptions, type PodBench } from '../pod/pods.ts';

describe('sink pod', function () {
  let server: TestServer;
  let streams: Streams;
  const benches: PodBench[] = [];

  before(async () => {
    server = await startTestServer();
    streams = await server.connect();
  });
  afterEach(() => Promise.all(benches.splice(0).map((one) => one.stop())));
  after(() => server.stop());

  it('I1, I2, I3: kill -9 of sink and ingestor under load: every row is written once and in order', async () => {
    const pods = await bench({ perSlot: 60_000 });
    let ingestor = await pods.start('ingestor', 'ingestor-a');
    let sink = await pods.start('sink', 'sink-a');
    for (let life = 0; life < 3; life++) {
      // Never more than there is: a quick machine may be done before it is looked at.
      const enough = Math.min((await rowsIn(pods.rows)).length + 1_000, 2 * 60_000);
      await eventually(async () => (await rowsIn(pods.rows)).length >= enough, { intervalMs: 5 });
      sink.kill('SIGKILL');
      ingestor.kill('SIGKILL');
      await Promise.all([sink.exited, ingestor.exited]);
      [sink, ingestor] = await Promise.all([pods.start('sink', 'sink-a'), pods.start('ingestor', 'ingestor-a')]);
    }
    await complete(pods, 60_000);
  });

  it('I8, I11: a sink that is stopped with SIGSTOP is replaced, and repeats nothing when it wakes', async () => {
    const pods = await bench({ perSlot: 20_000 });
    await pods.start('ingestor', 'ingestor-a');
    const frozen = await pods.start('sink', 'sink-a');
    await eventually(async () => (await rowsIn(pods.rows)).length > 1_000);
    frozen.kill('SIGSTOP');
    await pods.start('sink', 'sink-b');
    const enough = Math.min((await rowsIn(pods.rows)).length + 1, 2 * 20_000);
    await eventually(async () => (await rowsIn(pods.rows)).length >= enough);
    frozen.kill('SIGCONT');
    await complete(pods, 20_000);
  });

  it('I1: kill -9 of nats-server under load loses and repeats nothing', async () => {
    const pods = await bench({ perSlot: 10_000 });
    await pods.start('ingestor', 'ingestor-a');
    await pods.start('sink', 'sink-a');
    for (let life = 0; life < 2; life++) {
      const enough = Math.min((await rowsIn(pods.rows)).length + 2_000, 2 * 10_000);
      await eventually(async () => (await rowsIn(pods.rows)).length >= enough);
      await server.crash();
      await server.start();
    }
    await complete(pods, 10_000);
  });

  it('I12: after SIGTERM was answered with exit code 0 no row arrives, and the next pod completes exactly', async () => {
    const pods = await bench({ perSlot: 10_000 });
    const sink = await pods.start('sink', 'sink-a');
    await writeFile(join(pods.rows, 'half'), '');
    await pods.start('ingestor', 'ingestor-a');
    await eventually(async () => (await rowsIn(pods.rows)).length > 2_000);
    sink.kill('SIGTERM');
    assert.deepEqual(await sink.exited, { code: 0, signal: null });
    const rows = (await rowsIn(pods.rows)).length;
    await rm(join(pods.rows, 'half'));
    await eventually(async () => (await isDrained(streams, pods.plan)).behind.some(({ frames }) => frames > 20));
    assert.equal((await rowsIn(pods.rows)).length, rows);
    await pods.start('sink', 'sink-a');
    await complete(pods, 10_000);
  });

  it('I14: an outage of the sink is in the report and not in the health checks, and ends by itself', async () => {
    const pods = await bench({ perSlot: 1_000 });
    const sink = await pods.start('sink', 'sink-a');
    await eventually(
      async () => (await readPodReports(streams, pods.plan.pipeline.pid))[0]?.connection.state === 'Connected',
    );
    await writeFile(join(pods.rows, 'down'), '');
    await pods.start('ingestor', 'ingestor-a');
    await eventually(async () => {
      const report = (await readPodReports(streams, pods.plan.pipeline.pid)).find(({ kind }) => kind === 'sink');
      assert.equal(report?.connection.code, 'MR_SINK_UNREACHABLE');
      assert.equal(report.flow.waitingOn, 'sink warehouse');
    });
    assert.equal((await sink.get('/health/ready')).status, 200);
    await rm(join(pods.rows, 'down'));
    await complete(pods, 1_000);
  });

  it('I14: a sink that takes a write and does not answer is told within 15 s, and its backlog is not nothing', async () => {
    const pods = await bench({ perSlot: 1_000 });
    await pods.start('sink', 'sink-a');
    await eventually(
      async () => (await readPodReports(streams, pods.plan.pipeline.pid))[0]?.connection.state === 'Connected',
    );
    await writeFile(join(pods.rows, 'silent'), '');
    await pods.start('ingestor', 'ingestor-a');
    await eventually(async () => {
      const report = (await readPodReports(streams, pods.plan.pipeline.pid)).find(({ kind }) => kind === 'sink');
      assert.equal(report?.connection.code, 'MR_SINK_SILENT');
      assert.equal(report.flow.code, 'MR_SINK_SILENT');
      assert((report.lag ?? 0) > 0);
      assert(report.stillSince !== undefined);
    });
    await rm(join(pods.rows, 'silent'));
    await complete(pods, 1_000);
    await eventually(async () => {
      const report = (await readPodReports(streams, pods.plan.pipeline.pid)).find(({ kind }) => kind === 'sink');
      assert.equal(report?.connection.state, 'Connected');
    });
  });

  it('S1: what a server repeats of a Secret is in no report, dead letter or log: its reference is', async () => {
    const secret = 'hunter3 "secret"/välue';
    const pods = await bench({ perSlot: 100, password: '$(secret:pg/badsetting)' });
    await mkdir(pods.credentials);
    await writeFile(join(pods.credentials, 'secret.pg.badsetting'), secret);
    await Promise.all(['down', 'misfit'].map((file) => writeFile(join(pods.rows, file), '')));
    const sink = await pods.start('sink', 'sink-a');
    await pods.start('ingestor', 'ingestor-a');
    const { pid } = pods.plan.pipeline;
    const report = await eventually(async () => {
      const told = (await readPodReports(streams, pid)).find(({ kind }) => kind === 'sink');
      assert.equal(told?.connection.code, 'MR_SINK_UNREACHABLE');
      return told;
    });
    assert.match(report.connection.message ?? '', /down before: '\$\(secret:pg\/badsetting\)'/);
    await rm(join(pods.rows, 'down'));
    const letter = await eventually(async () => {
      const [first] = (await readDeadLetters(streams, pid)).letters;
      assert.ok(first);
      return first;
    });
    assert.match(letter.text, /is '\$\(secret:pg\/badsetting\)'/);
    const log = await sink.log();
    assert.match(log, /down before: '\$\(secret:pg\/badsetting\)'/);
    for (const text of [log, JSON.stringify(report), JSON.stringify(letter)]) assert.doesNotMatch(text, /hunter3/);
  });

  async function bench(options: BenchOptions): Promise<PodBench> {
    const made = await podBench(server.url, {
      batch: { maxRecords: 500, maxBytes: 2 ** 20, maxDelayMs: 20 },
      ...options,
    });
    benches.push(made);
    await ensureSharedStreams(streams);
    await ensurePipelineStreams(streams, made.plan);
    return made;
  }

  async function complete(pods: PodBench, perSlot: number): Promise<void> {
    await eventually(async () => (await rowsIn(pods.rows)).length >= 2 * perSlot, {
      intervalMs: 100,
    });
    await eventually(async () => (await isDrained(streams, pods.plan)).drained);
    const rows = await rowsIn(pods.rows);
    for (const slot of [0, 1]) {
      assert.deepEqual(
        rows.filter((row) => row.slot === slot).map((row) => row.n),
        Array.from({ length: perSlot }, (_, n) => n),
      );
    }
  }
});
