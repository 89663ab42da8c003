/** Adversary: a source that leaves, and the edge loses the last frame that fences it, on a real nats-server. */
import assert from 'node:assert/strict';
import type { Streams } from '../../stream/connection.ts';
import { registerPlan } from '../../stream/members.ts';
import { announcePlan } from '../../stream/plan-store.ts';
import { beginLeaving, finishLeaving, unfinished } from '../../stream/retire.ts';
import { eventually } from '../support/eventually.ts';
import { NumberSource } from './support/fakes.ts';
import { withoutSources } from './support/leaving.ts';
import { questionsOf, type SmallPipeline, withPipelineOnDisk } from './support/small-pipeline.ts';
import { eagerClock, ingest } from './support/stages.ts';

describe('adversary: a source that leaves', () => {
  let pipeline: SmallPipeline;
  const disk = withPipelineOnDisk((made) => {
    pipeline = made;
  });

  it('L1, E4: takes nothing from a frozen owner that is not read, also when the edge has lost the last frame of the source', async () => {
    const { streams, plan } = pipeline;
    await pipeline.fill(5, 'commitLog');
    await disk.save('five', pipeline.store);
    // A pod of the source stands still right before it sends its sixth record.
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
    // Nothing is lost but the frame without records that keeps the frozen pod from appending.
    await disk.restore('five', pipeline.store);
    const sink = pipeline.drain('commitLog');
    // Each look of the lifecycle.
    await eventually(async () => {
      await beginLeaving(act, without);
      return (await unfinished(streams, without)).length === 0;
    });
    release.resolve(undefined);
    await Promise.race([frozen.done, eventually(() => source?.acknowledged.includes(6) === true)]);
    await finishLeaving(act, without);
    await frozen.stop().catch(() => undefined);
    await eventually(() => pipeline.isDry());
    const isAsked = questionsOf(sink) > 0;
    await sink.stop();
    const isAcknowledged = source?.acknowledged.includes(6) === true;
    assert.ok(
      !isAcknowledged || isAsked || pipeline.numbers.includes(5),
      `record 5 was acknowledged, and the sink has ${pipeline.numbers.join()}`,
    );
  });
});
