/** D6 of stream/decisions.ts: an edge that changes once more between a decision about it and the slot that acts upon that. */
import assert from 'node:assert/strict';
import { parseDecision } from '../../model/decision.ts';
import type { Streams } from '../../stream/connection.ts';
import { askFor, noteDecision } from '../../stream/decisions.ts';
import { eventually } from '../support/eventually.ts';
import { asked, questionsOf, range, SmallPipeline, withPipelineOnDisk } from './support/small-pipeline.ts';
import type { RunningSlot } from './support/stages.ts';

describe('a decision about an edge that changes before the slot acts upon it', () => {
  let pipeline: SmallPipeline;
  const disk = withPipelineOnDisk((made) => {
    pipeline = made;
  });

  /** The slot has asked so often, once it asks or has taken all that is there. */
  const settled = async (slot: RunningSlot) => {
    await eventually(async () => questionsOf(slot) > 0 || (await pipeline.isDry()));
    return questionsOf(slot);
  };

  for (const isNamed of [false, true]) {
    const end = isNamed ? 'names the last frame' : 'names no frame, because the last one was gone';
    it(`is no answer where the edge has gone back once more and grown past it, and nothing is skipped; it ${end}`, async () => {
      await pipeline.fill(5, 'commitLog');
      await disk.save('five', pipeline.store);
      await pipeline.write(14, 15);
      if (isNamed) await disk.save('fourteen', pipeline.store);
      await pipeline.write(15, 16);
      await pipeline.begin('commitLog');
      if (isNamed) await disk.restore('fourteen', pipeline.store);
      else await pipeline.removeFrame(16);
      const first = pipeline.drain('commitLog');
      await asked(first);
      await first.stop();
      await pipeline.decide('main.1=accept-loss');
      await disk.restore('five', pipeline.store);
      // Others, under the numbers of the begun batch.
      assert.equal(questionsOf(await pipeline.write(20, 20, 0, 2_000)), 0);
      const sink = pipeline.drain('commitLog');
      assert.equal(await settled(sink), 1, 'the slot does not ask');
      assert.deepEqual(pipeline.numbers, range(0, 5));
      await pipeline.decide('main.2=reread');
      await eventually(() => pipeline.isDry());
      assert.deepEqual(pipeline.numbers, [...range(0, 5), ...range(0, 5), ...range(2_005, 2_020)]);
      await sink.stop();
    });
  }

  it('about what the sink has stored beyond the end is no answer where the end is another one now: asked again, without a busy loop', async () => {
    await pipeline.fill(5, 'sink');
    await disk.save('five', pipeline.store);
    await pipeline.write(7, 8);
    await disk.save('seven', pipeline.store);
    await pipeline.write(12, 13);
    await pipeline.doomed().died;
    await disk.restore('seven', pipeline.store);
    const first = pipeline.drain('sink');
    await asked(first);
    assert.match(first.witness.waitSentences.join(), /has stored it up to 13, and it ends at 8/);
    await first.stop();
    await pipeline.decide('main.1=accept-loss');
    await disk.restore('five', pipeline.store);
    let looks = 0;
    const streamInfo = (...args: Parameters<Streams['streamInfo']>) => {
      looks++;
      return pipeline.streams.streamInfo(...args);
    };
    const [most, sink] = [50, pipeline.drain('sink', { port: { ...pipeline.streams, streamInfo } })];
    await eventually(() => questionsOf(sink) > 0 || looks > most);
    assert.ok(looks <= most, `${looks} looks at the edge, and no question`);
    assert.match(sink.witness.waitSentences.join(), /has stored it up to 13, and it ends at 6/);
    await pipeline.decide('main.2=accept-loss');
    await pipeline.write(7, 9, 0, 2_000);
    await eventually(async () => pipeline.numbers.length > 12 && (await pipeline.isDry()));
    assert.deepEqual(pipeline.numbers, [...range(0, 12), 2_005, 2_006]);
    assert.equal(questionsOf(sink), 1);
    await sink.stop();
  });

  it('is an answer where the edge has only grown since the slot looked at it', async () => {
    pipeline = await SmallPipeline.make(pipeline.streams, 2);
    await pipeline.fill(5, 'commitLog');
    await disk.save('five', pipeline.store);
    await pipeline.fill(10, 'commitLog');
    await disk.restore('five', pipeline.store);
    const first = pipeline.drain('commitLog');
    await asked(first);
    await first.stop();
    // The slot begins again, and the commits answer late.
    const [isHeld, release] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const getMessage = async (...args: Parameters<Streams['getMessage']>) => {
      if (JSON.stringify(args[1]).includes('.question.')) {
        isHeld.resolve(undefined);
        await release.promise;
      }
      return pipeline.streams.getMessage(...args);
    };
    const sink = pipeline.drain('commitLog', { port: { ...pipeline.streams, getMessage } });
    await isHeld.promise;
    await pipeline.write(5, 12, 1);
    await pipeline.decide('main.1=accept-loss');
    release.resolve(undefined);
    assert.equal(await settled(sink), 0);
    assert.deepEqual(pipeline.numbers, [...range(0, 10), ...range(1_000, 1_005)]);
    await sink.stop();
  });

  for (const positionIn of ['commitLog', 'sink'] as const)
    it(`gives up nothing and writes nothing twice where what was lost is there again (position in ${positionIn})`, async () => {
      await pipeline.fill(5, positionIn);
      await disk.save('five', pipeline.store);
      await pipeline.fill(10, positionIn);
      await disk.save('ten', pipeline.store);
      await disk.restore('five', pipeline.store);
      const first = pipeline.drain(positionIn);
      await asked(first);
      await first.stop();
      await pipeline.decide('main.1=accept-loss');
      await disk.restore('ten', pipeline.store);
      await pipeline.write(12, 13);
      const sink = pipeline.drain(positionIn);
      assert.equal(await settled(sink), 0);
      assert.deepEqual(pipeline.numbers, range(0, 12));
      assert.deepEqual(await pipeline.questions(), []);
      await sink.stop();
    });

  it('answers what is asked about the same commit, whatever the loss looks like by now', async () => {
    const { pid } = pipeline;
    const asker = { streams: pipeline.streams, pid, scope: 'main', who: 'sink-warehouse.0' };
    const question = { ...asker, after: 5, hasClaimed: true, isOfSink: false, ofEntry: { outdated: undefined } };
    assert.equal(
      (await askFor({ ...question, loss: 'frame 9 is another one than the one that was taken' })).kind,
      'asked',
    );
    const decision = parseDecision('main.1=accept-loss');
    assert.ok(decision);
    assert.ok(await noteDecision(pipeline.streams, pipeline.plan, decision));
    const loss = 'frame 10 of orders-0, of which 8 was taken last, follows 9';
    const answer = await askFor({ ...question, loss });
    assert.ok(answer.kind === 'decided');
    assert.equal(answer.decision.number, 1);
    assert.equal((await askFor({ ...question, loss, ofEntry: { outdated: 1 } })).kind, 'asked');
  });
});
