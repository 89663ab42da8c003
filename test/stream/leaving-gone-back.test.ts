/** L5 of stream/retire.ts: a source leaves, and the edge loses the last frame that keeps its former owner from appending. */
import assert from 'node:assert/strict';
import type { Streams } from '../../stream/connection.ts';
import { registerPlan } from '../../stream/members.ts';
import { announcePlan } from '../../stream/plan-store.ts';
import { beginLeaving, finishLeaving, unfinished } from '../../stream/retire.ts';
import { eventually } from '../support/eventually.ts';
import { NumberSource } from './support/fakes.ts';
import { withoutSources } from './support/leaving.ts';
import { questionsOf, range, type SmallPipeline, withPipelineOnDisk } from './support/small-pipeline.ts';
import { eagerClock, ingest } from './support/stages.ts';

describe('a source that leaves an edge that goes back', () => {
  let pipeline: SmallPipeline;
  const disk = withPipelineOnDisk((made) => {
    pipeline = made;
  });

  /** A pod of the source stands still right before it sends its sixth record; then the source begins to leave. */
  async function leavesWithAFrozenPod() {
    const { streams, plan } = pipeline;
    await pipeline.fill(5, 'commitLog');
    await disk.save('five', pipeline.store);
    const [isHeld, release] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const publish = async (...args: Parameters<Streams['publish']>) => {
      if (args[0].startsWith(`mr.${pipeline.pid}.main.`)) {
        isHeld.resolve(undefined);
        await release.promise;
      }
      return streams.publish(...args);
    };
    let source: NumberSource | undefined;
    const frozen = ingest(
      { ...streams, publish },
      plan,
      (position) => (source = new NumberSource(position, { batch: 1, available: () => 6 })),
    );
    await isHeld.promise;
    const without = withoutSources(plan, 2);
    const act = { streams, opSeq: 2, clock: eagerClock };
    await registerPlan(act, without);
    await announcePlan(streams, without);
    await beginLeaving(act, without);
    assert.equal(await pipeline.end(), 7);
    return {
      finish: () => finishLeaving(act, without),
      isRead: async () => {
        await beginLeaving(act, without);
        return (await unfinished(streams, without)).length === 0;
      },
      /** Resolves with whether its record was acknowledged. */
      wake: async () => {
        release.resolve(undefined);
        const isAcknowledged = () => source?.acknowledged.includes(6) === true;
        await Promise.race([frozen.done, eventually(isAcknowledged)]);
        await frozen.stop().catch(() => undefined);
        return isAcknowledged();
      },
    };
  }

  it('takes nothing from that pod when the loss is met by a look', async () => {
    const leaving = await leavesWithAFrozenPod();
    await disk.restore('five', pipeline.store);
    const sink = pipeline.drain('commitLog');
    await eventually(leaving.isRead);
    assert.equal(await leaving.wake(), false);
    await leaving.finish();
    await eventually(() => pipeline.isDry());
    await sink.stop();
    assert.deepEqual(pipeline.numbers, range(0, 5));
  });

  it('is not taken off before that is read which the pod wrote after the last look', async () => {
    const leaving = await leavesWithAFrozenPod();
    const sink = pipeline.drain('commitLog');
    await eventually(leaving.isRead);
    await sink.stop();
    await disk.restore('five', pipeline.store);
    assert.equal(await leaving.wake(), true);
    await assert.rejects(leaving.finish(), { code: 'MR_SOURCE_WROTE_AGAIN' });
    const next = pipeline.drain('commitLog');
    await eventually(async () => questionsOf(next) > 0 || (await leaving.isRead()));
    // What it took of the lost last frame, it asks about.
    await pipeline.decide('main.1=accept-loss');
    await eventually(leaving.isRead);
    await leaving.finish();
    await next.stop();
    assert.deepEqual(pipeline.numbers, range(0, 6));
  });
});
