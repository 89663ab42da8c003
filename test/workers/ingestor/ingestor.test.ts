import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Streams } from '../../../stream/connection.ts';
import { readPodReports } from '../../../stream/pod-report.ts';
import { ensurePipelineStreams, ensureSharedStreams } from '../../../stream/streams.ts';
import { edgeFrames } from '../../stream/support/stages.ts';
import { startTestServer, type TestServer } from '../../stream/support/server.ts';
import { eventually } from '../../support/eventually.ts';
import { podBench, type BenchOptions, type PodBench } from '../pod/pods.ts';

describe('ingestor pod', function () {
  let server: TestServer;
  let streams: Streams;
  const benches: PodBench[] = [];

  before(async () => {
    server = await startTestServer();
    streams = await server.connect();
  });
  afterEach(() => Promise.all(benches.splice(0).map((one) => one.stop())));
  after(() => server.stop());

  it('I1, I2, I3: kill -9 again and again: each record of each slot is in the edge once and in order', async () => {
    const pods = await bench({ perSlot: 60_000 });
    for (let life = 0; life < 4; life++) {
      const pod = await pods.start('ingestor', 'ingestor-a');
      // Never more than there is: a quick machine may be done before it is looked at.
      const enough = Math.min((await count(pods)) + 600, 2 * 60_000);
      await eventually(async () => (await count(pods)) >= enough, { intervalMs: 5 });
      pod.kill('SIGKILL');
      await pod.exited;
    }
    await pods.start('ingestor', 'ingestor-a');
    await complete(pods, 2, 60_000);
  });

  it('I11: a pod that is stopped with SIGSTOP loses its slots to another and adds nothing when it wakes', async () => {
    const pods = await bench({ perSlot: 30_000 });
    const frozen = await pods.start('ingestor', 'ingestor-a');
    await eventually(async () => (await count(pods)) > 1_000);
    frozen.kill('SIGSTOP');
    const other = await pods.start('ingestor', 'ingestor-b');
    await eventually(async () => (await positions(other)).length === 2);
    frozen.kill('SIGCONT');
    await complete(pods, 2, 30_000);
  });

  it('Y2: SIGTERM ends with code 0 and releases the slots, so that another pod has them before they could expire', async () => {
    const pods = await bench({ perSlot: 1_000_000 });
    const first = await pods.start('ingestor', 'ingestor-a');
    await eventually(async () => (await count(pods)) > 500);
    const second = await pods.start('ingestor', 'ingestor-b');
    await eventually(async () => (await positions(first)).length === 1 && (await positions(second)).length === 1);
    first.kill('SIGTERM');
    assert.deepEqual(await first.exited, { code: 0, signal: null });
    await eventually(async () => (await positions(second)).length === 2);
    const before = await count(pods);
    await eventually(async () => (await count(pods)) > before);
  });

  it('Y1: waits for nats-server and for its streams: alive, not ready, then at work', async () => {
    const late = await startTestServer();
    const over = await late.connect();
    await late.crash();
    const pods = await podBench(late.url, { perSlot: 100 });
    benches.push(pods);
    const pod = await pods.start('ingestor', 'ingestor-a', { waitUntilReady: false });
    assert.equal((await pod.get('/health/alive')).status, 200);
    assert.equal((await pod.get('/health/ready')).status, 503);
    await late.start();
    await eventually(async () => (await pod.get('/health/ready')).status === 200);
    await eventually(async () => {
      const [report] = await readPodReports(over, pods.plan.pipeline.pid);
      return report?.flow.state === 'Waiting' && report.flow.code === 'MR_STREAM_MISSING';
    });
    await ensurePipelineStreams(over, pods.plan);
    await eventually(async () => (await values(pods, over)).length === 200);
    await pods.stop();
    await late.stop();
  });

  it('shows a missing Secret in its report, and connects when it is there, without logging its content', async () => {
    const pods = await bench({ perSlot: 100, password: '$(secret:kafka/password)' });
    const pod = await pods.start('ingestor', 'ingestor-a');
    await eventually(async () => {
      const [report] = await readPodReports(streams, pods.plan.pipeline.pid);
      assert.equal(report?.connection.code, 'MR_SECRET_MISSING');
      assert.match(report.connection.message ?? '', /Secret "kafka" in namespace "default" must have key "password"/);
    });
    await mkdir(pods.credentials);
    await writeFile(join(pods.credentials, 'secret.kafka.password'), 'hunter2');
    await complete(pods, 2, 100);
    await eventually(
      async () => (await readPodReports(streams, pods.plan.pipeline.pid))[0]?.connection.state === 'Connected',
    );
    assert(!(await pod.log()).includes('hunter2'));
  });

  it('tells metrics, positions and lag', async () => {
    const pods = await bench({ perSlot: 500 });
    const pod = await pods.start('ingestor', 'ingestor-a');
    await complete(pods, 2, 500);
    await eventually(async () => {
      assert.deepEqual(await positions(pod), [
        { slot: 0, position: 500, lag: 0 },
        { slot: 1, position: 500, lag: 0 },
      ]);
    });
    const metrics = (await pod.get('/metrics')).body;
    assert.match(metrics, /millrace_records_out_total\{.*stage="ingestor-orders".*\} 1000/);
    assert.match(metrics, /millrace_slot_owned\{slot="1".*\} 1/);
    await eventually(async () => {
      const [report] = await readPodReports(streams, pods.plan.pipeline.pid);
      return report?.recordsOut === 1_000 && report.lag === 0 && report.connection.state === 'Connected';
    });
  });

  async function bench(options: BenchOptions): Promise<PodBench> {
    const made = await podBench(server.url, options);
    benches.push(made);
    await ensureSharedStreams(streams);
    await ensurePipelineStreams(streams, made.plan);
    return made;
  }

  async function values(pods: PodBench, over = streams) {
    const frames = await edgeFrames(over, pods.plan);
    return frames.flatMap((frame) => frame.values.map((text) => JSON.parse(text) as { slot: number; n: number }));
  }

  /** Records that the edge holds, by the positions of the last frames. */
  async function count(pods: PodBench): Promise<number> {
    let sum = 0;
    for (let slot = 0; slot < 2; slot++) {
      const subject = `mr.${pods.plan.pipeline.pid}.main.${slot}.orders-${slot}`;
      const last = await streams.jsm.streams.getMessage(`mr-${pods.plan.pipeline.pid}-main`, { last_by_subj: subject });
      if (last === null) continue;
      const { decodeFrame } = await import('../../../stream/frame-reader.ts');
      // The frame with which a writer was registered has no position.
      sum += Number(decodeFrame(last.data, { stream: subject, sequence: last.seq }).position ?? 0);
    }
    return sum;
  }

  async function complete(pods: PodBench, slots: number, perSlot: number): Promise<void> {
    await eventually(async () => (await count(pods)) === slots * perSlot);
    const all = await values(pods);
    for (let slot = 0; slot < slots; slot++) {
      assert.deepEqual(
        all.filter((one) => one.slot === slot).map((one) => one.n),
        Array.from({ length: perSlot }, (_, n) => n),
      );
    }
  }

  async function positions(pod: Awaited<ReturnType<PodBench['start']>>): Promise<unknown[]> {
    return (JSON.parse((await pod.get('/positions')).body) as { slots: unknown[] }).slots;
  }
});
