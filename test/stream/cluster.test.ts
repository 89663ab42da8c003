import assert from 'node:assert/strict';
import { leaseStream, reportStream } from '../../model/names.ts';
import { systemClock } from '../../stream/clock.ts';
import type { Streams } from '../../stream/connection.ts';
import { publishPodReport, readPodReports } from '../../stream/pod-report.ts';
import { SlotRunner } from '../../stream/slot-runner.ts';
import { ensurePipelineStreams, ensureSharedStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { startTestCluster, type TestCluster } from './support/cluster.ts';
import { podReport } from './support/reports.ts';
import { testPlan } from './support/server.ts';

describe('three nats-servers', function () {
  let cluster: TestCluster;
  let streams: Streams;
  const { pid } = testPlan().pipeline;
  const stage = 'sink-warehouse';
  const runners: SlotRunner[] = [];

  before(async () => {
    cluster = await startTestCluster();
    streams = await cluster.connect();
    await ensureSharedStreams(streams, { replicas: 3 });
  });
  afterEach(async () => {
    await Promise.all(runners.splice(0).map((runner) => runner.stop(0)));
    await Promise.all(cluster.servers.filter(({ isRunning }) => !isRunning).map((server) => server.start()));
  });
  after(() => cluster.stop());

  it('S2: every slot is held again soon after the server that leads the leases is killed', async () => {
    const owners = [pod('a', await cluster.connect()), pod('b', await cluster.connect())];
    const held = () => owners.flatMap((slots) => [...slots]).sort();
    await eventually(() => assert.deepEqual(held(), [0, 1, 2, 3]));
    const { last_seq: before } = (await streams.jsm.streams.info(leaseStream)).state;
    await (await cluster.leaderOf(streams, leaseStream)).kill();
    // Held, and by leases that were written after the kill.
    await eventually(async () => {
      const lasts = await streams.lastOfEach(leaseStream, `mr-lease.${pid}.${stage}.*`);
      assert(lasts.length === 4 && lasts.every(({ seq }) => seq > before + 10));
      assert.deepEqual(held(), [0, 1, 2, 3]);
    });
  });

  it('S2: reports are read and written after the server that leads them is killed', async () => {
    const report = podReport({ pid });
    await publishPodReport(streams, report);
    await (await cluster.leaderOf(streams, reportStream)).kill();
    await eventually(async () => {
      await publishPodReport(streams, { ...report, recordsIn: 2 });
      assert.deepEqual(
        (await readPodReports(streams, pid)).map(({ recordsIn }) => recordsIn),
        [2],
      );
    });
  });

  it('the number of copies follows the configuration, up and down', async () => {
    const plan = testPlan();
    for (const replicas of [1, 3]) {
      await eventually(async () => {
        await ensureSharedStreams(streams, { replicas });
        await ensurePipelineStreams(streams, plan, { replicas });
      });
      for (const stream of [leaseStream, reportStream, `mr-${plan.pipeline.pid}-main`]) {
        assert.equal((await streams.jsm.streams.info(stream)).config.num_replicas, replicas);
      }
    }
  });

  /** Runs slots of a stage in which nothing happens. */
  function pod(name: string, over: Streams): ReadonlySet<number> {
    const slots = new Set<number>();
    const runner = new SlotRunner({
      streams: over,
      pid,
      stage,
      pod: name,
      run: name,
      slots: 4,
      clock: systemClock,
      random: Math.random,
      work: (_slot, { stop }) =>
        new Promise((resolve) => stop.addEventListener('abort', () => resolve('stopped'), { once: true })),
      onOwned: (slot, owned) => {
        if (owned) slots.add(slot);
        else slots.delete(slot);
      },
      onFailure: () => undefined,
    });
    runner.start();
    runners.push(runner);
    return slots;
  }
});
