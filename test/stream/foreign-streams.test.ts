import assert from 'node:assert/strict';
import type { Streams } from '../../stream/connection.ts';
import { annotations, labels } from '../../model/names.ts';
import {
  deletePipelineStreams,
  ensurePipelineStreams,
  ensureSharedStreams,
  forgetLeasesAndReports,
  pipelineStreamsExist,
} from '../../stream/streams.ts';
import { testPlan, withTestServer } from './support/server.ts';

describe('streams of others, on a real nats-server', function () {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  const configOf = async (name: string) => (await streams.jsm.streams.info(name)).config;

  it('S3: streams say whose they are, and go on saying so when they are made again or grow', async () => {
    const plan = testPlan();
    const { pid, uid } = plan.pipeline;
    const name = `mr-${pid}-main`;
    for (const cluster of ['cluster-1', 'cluster-1']) await ensurePipelineStreams(streams, plan, { cluster });
    const { metadata = {} } = await configOf(name);
    assert.deepEqual([metadata[labels.pipelineUid], metadata[annotations.cluster]], [uid, 'cluster-1']);
    assert(await pipelineStreamsExist(streams, plan));
  });

  for (const [what, foreign] of [
    ['of another pipeline', { metadata: { [labels.pipelineUid]: 'uid-other' } }],
    ['made by hand', {}],
    ['with other subjects', { subjects: ['shop.>'] }],
    ['under another name, with the same subjects', { name: 'backup' }],
  ] as const) {
    it(`S3: a stream ${what} is refused by name, not changed, and not deleted`, async () => {
      const plan = testPlan();
      const { pid } = plan.pipeline;
      const config = { name: `mr-${pid}-main`, subjects: [`mr.${pid}.main.>`], max_bytes: 1_000, ...foreign };
      await streams.jsm.streams.add({ ...config, subjects: [...config.subjects] });
      const before = await configOf(config.name);
      const refused = new RegExp(`"${config.name}".*does not belong to this pipeline`);
      await assert.rejects(ensurePipelineStreams(streams, plan), { code: 'MR_STREAM_FOREIGN', message: refused });
      assert.equal(await pipelineStreamsExist(streams, plan), false);
      await deletePipelineStreams(streams, { ...plan.pipeline, adopts: false });
      assert.deepEqual(await configOf(config.name), before);
      await streams.jsm.streams.delete(config.name);
    });
  }

  it('S3: a teardown leaves leases and reports to the pipeline whose streams are there', async () => {
    const plan = testPlan();
    const { pid } = plan.pipeline;
    const own = { ...plan.pipeline, adopts: false };
    await ensureSharedStreams(streams);
    const subjects = [`mr-lease.${pid}.sink-warehouse.slot.0`, `mr-report.${pid}.sink-warehouse.pod-1`];
    await ensurePipelineStreams(streams, plan);
    for (const subject of subjects) await streams.js.publish(subject, 'x');
    const isLeft = async () =>
      Promise.all(
        subjects.map(async (subject) => {
          const stream = await streams.jsm.streams.find(subject);
          return (await streams.getMessage(stream, { last_by_subj: subject })) !== null;
        }),
      );
    await forgetLeasesAndReports(streams, { ...own, uid: 'uid-other' });
    assert.deepEqual(await isLeft(), [true, true]);
    await deletePipelineStreams(streams, own);
    await forgetLeasesAndReports(streams, own);
    assert.deepEqual(await isLeft(), [false, false]);
  });

  it('O3: a stream of v0.1 is taken over by the pipeline that v0.1 has set up, with what it holds', async () => {
    const plan = testPlan({ shards: 1, sourceSlots: 1 });
    const { pid, uid } = plan.pipeline;
    const name = `mr-${pid}-main`;
    await streams.jsm.streams.add({ name, subjects: [`mr.${pid}.main.>`], max_bytes: 2 ** 20 });
    await streams.js.publish(`mr.${pid}.main.0.orders-0`, 'frame');
    await ensurePipelineStreams(streams, plan, { cluster: 'cluster-1', adopts: true });
    const { config, state } = await streams.jsm.streams.info(name);
    assert.deepEqual([config.metadata?.[labels.pipelineUid], state.messages], [uid, 1]);
    assert.deepEqual(await deletePipelineStreams(streams, { ...plan.pipeline, adopts: false }), []);
    assert.equal(await pipelineStreamsExist(streams, plan), false);
  });
});
