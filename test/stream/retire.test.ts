/** Sources that leave an edge, on a real nats-server. */
import assert from 'node:assert/strict';
import { commitSubject, edgeStream, frameSubject } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { beginLeaving, finishLeaving } from '../../stream/retire.ts';
import { readRegistry } from '../../stream/registry.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { NumberSource } from './support/fakes.ts';
import { eagerClock, edgeFrames, ingest } from './support/stages.ts';
import { startTestServer, testPlan, type TestServer } from './support/server.ts';
import { eventually } from '../support/eventually.ts';

describe('a source that leaves', function () {
  let server: TestServer;
  let streams: Streams;

  before(async () => {
    server = await startTestServer();
    streams = await server.connect();
  });
  after(() => server.stop());

  const act = () => ({ streams, opSeq: 2, clock: eagerClock });
  const without = (plan: Plan): Plan => ({
    ...plan,
    pipeline: { ...plan.pipeline, generation: 2 },
    stages: plan.stages.filter(({ kind }) => kind !== 'ingestor'),
  });

  /** Of a pipeline whose source has written some frames, and has no pod any more. */
  async function written(): Promise<Plan> {
    const plan = testPlan({ shards: 1, sourceSlots: 1 });
    await ensurePipelineStreams(streams, plan);
    const slot = ingest(streams, plan, (position) => new NumberSource(position, { available: () => 50 }));
    await eventually(async () => (await edgeFrames(streams, plan)).flatMap(({ values }) => values).length === 50);
    await slot.stop();
    return plan;
  }

  async function framesOf({ pipeline }: Plan): Promise<number> {
    const stream = edgeStream(pipeline.pid, 'main');
    const { state } = await streams.jsm.streams.info(stream, { subjects_filter: '>' });
    return state.subjects?.[frameSubject(pipeline.pid, 'main', 0, 'orders-0')] ?? 0;
  }

  it('L1: gets one last frame, however often those who wait for it look', async () => {
    const plan = await written();
    const before = await framesOf(plan);
    for (let look = 0; look < 5; look++) await beginLeaving(act(), without(plan));
    assert.equal(await framesOf(plan), before + 1);
  });

  it('keeps the frames of a batch that was begun and not committed, whatever the deletion policy is', async () => {
    const plan = await written();
    const { pid } = plan.pipeline;
    const subject = commitSubject(pid, 'sink-warehouse', 0);
    const commit = await streams.getMessage(edgeStream(pid, 'commits'), { last_by_subj: subject });
    const { chain } = JSON.parse(Buffer.from(commit?.data ?? []).toString()) as { chain: unknown };
    const begun = { kind: 'intent', from: 2, to: 3, after: 1, token: 't', rows: 1, chain };
    await streams.publish(subject, JSON.stringify(begun), { expectLast: commit?.seq ?? 0 });
    const before = await framesOf(plan);
    await finishLeaving(act(), without(plan));
    assert.equal(await framesOf(plan), before);
    assert.ok((await readRegistry(streams, pid, 'main'))?.sources['orders']);

    await streams.publish(subject, JSON.stringify({ kind: 'commit', to: 3, chain }));
    await finishLeaving(act(), without(plan));
    assert.equal(await framesOf(plan), 0);
    assert.equal((await readRegistry(streams, pid, 'main'))?.sources['orders'], undefined);
  });
});
