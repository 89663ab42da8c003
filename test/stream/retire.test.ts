/** Sources that leave an edge, on a real nats-server. */
import assert from 'node:assert/strict';
import { commitSubject, edgeStream, frameSubject } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { beginLeaving, finishLeaving } from '../../stream/retire.ts';
import { readRegistry } from '../../stream/registry.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { isDrained } from '../../stream/drained.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { drain, eagerClock, edgeFrames, ingest } from './support/stages.ts';
import { testPlan, withTestServer } from './support/server.ts';
import { eventually } from '../support/eventually.ts';

describe('a source that leaves', function () {
  let streams: Streams;

  withTestServer((connected) => {
    streams = connected;
  });

  const act = () => ({ streams, opSeq: 2, clock: eagerClock });
  const without = (plan: Plan): Plan => ({
    ...plan,
    pipeline: { ...plan.pipeline, generation: 2 },
    stages: plan.stages.filter(({ kind }) => kind !== 'ingestor'),
  });

  /** Of a pipeline whose source has written some frames, and has no pod any more. */
  async function written(): Promise<Plan> {
    const frame = { maxRecords: 10, maxBytes: 4_096, lingerMs: 1 };
    const plan = testPlan({ shards: 1, sourceSlots: 1, frame });
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

  it('E4: takes nothing from a pod that looked before whether it belongs, and reads its tail after the last frame', async () => {
    const plan = await written();
    const stream = edgeStream(plan.pipeline.pid, 'main');
    const subject = frameSubject(plan.pipeline.pid, 'main', 0, 'orders-0');
    const asks = Promise.withResolvers<undefined>();
    const wakes = Promise.withResolvers<undefined>();
    const getMessage: Streams['getMessage'] = async (of, query) => {
      if (of === stream && 'last_by_subj' in query && query.last_by_subj === subject) {
        asks.resolve(undefined);
        await wakes.promise;
      }
      return streams.getMessage(of, query);
    };
    const slot = ingest({ ...streams, getMessage }, plan, (position) => {
      return new NumberSource(position, { available: () => 80 });
    });
    await asks.promise;
    await beginLeaving(act(), without(plan));
    const before = await framesOf(plan);
    wakes.resolve(undefined);
    await eventually(() => assert.equal(slot.witness.waits.at(-1)?.[1], 'MR_NOT_REGISTERED'));
    await slot.stop();
    assert.equal(await framesOf(plan), before);
  });

  it('F1: has its last frame also in an edge that is full of what was read of it, and that nobody sweeps any more', async () => {
    const plan = await written();
    const stream = edgeStream(plan.pipeline.pid, 'main');
    const sink = drain(streams, plan, new MemoryTable());
    await eventually(async () => (await isDrained(streams, plan)).drained);
    await sink.stop();
    const before = await framesOf(plan);
    const { config, state } = await streams.streamInfo(stream);
    const limit = state.bytes;
    await streams.updateStream({ ...config, name: stream, subjects: config.subjects, max_bytes: limit });
    assert(before > 3);
    await beginLeaving(act(), without({ ...plan, edges: plan.edges.map((edge) => ({ ...edge, maxBytes: limit })) }));
    assert((await framesOf(plan)) <= 3);
    assert.equal((await readRegistry(streams, plan.pipeline.pid, 'main'))?.sources['orders']?.ends?.length, 1);
    assert.equal((await streams.streamInfo(stream)).config.max_bytes, limit);
  });

  it('E4: takes nothing more from a pod that runs on when it is given up, and comes back where that pod stood', async () => {
    const plan = await written();
    let available = 60;
    const pod = ingest(streams, plan, (position) => new NumberSource(position, { available: () => available }));
    const stands = async (at: number) => assert.equal((await edgeFrames(streams, plan)).at(-1)?.frame.position, at);
    await eventually(() => stands(60));
    let purges = 0;
    const purgeStream: Streams['purgeStream'] = async (...purge) => {
      // Between the look at the tail and the purge up to there, twice.
      if (purges++ < 2) {
        available += 10;
        await eventually(() => stands(available));
      }
      await streams.purgeStream(...purge);
    };
    await finishLeaving({ ...act(), streams: { ...streams, purgeStream } }, without(plan));
    available += 10;
    assert.equal(await pod.done, 'fenced');
    assert.equal(await framesOf(plan), 0);
    const registry = await readRegistry(streams, plan.pipeline.pid, 'main');
    assert.deepEqual(registry?.kept['orders']?.slots, [{ stood: 'at', position: 80 }]);
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
    const source = async () => (await readRegistry(streams, pid, 'main'))?.sources['orders'];
    await finishLeaving(act(), without(plan));
    assert.equal(await framesOf(plan), before);
    // Whoever still runs on a lost node starts nothing.
    assert.deepEqual(await source(), { slots: 1, leaving: true });

    await streams.publish(subject, JSON.stringify({ kind: 'commit', to: 3, chain }));
    await finishLeaving(act(), without(plan));
    assert.equal(await framesOf(plan), 0);
    assert.equal(await source(), undefined);
  });
});
