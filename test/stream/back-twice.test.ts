/**
 * K10 of stream/sink-position.ts, on a real nats-server: the edge goes back, a person decides, and before the sink has
 * followed that decision something happens once more.
 */
import assert from 'node:assert/strict';
import { frameSubject } from '../../model/names.ts';
import { eventually } from '../support/eventually.ts';
import { asked, asksAboutSink, range, SmallPipeline, withPipelineOnDisk } from './support/small-pipeline.ts';

describe('an edge that goes back, and its sink or the edge once more (K10, I6)', () => {
  let pipeline: SmallPipeline;
  const disk = withPipelineOnDisk((made) => {
    pipeline = made;
  });

  it('a sink that had the begun batch, and loses it after the decision, is asked about', async () => {
    await pipeline.fill(5, 'sink');
    const failOver = pipeline.replica();
    await pipeline.write(10, 11);
    await disk.save('ten', pipeline.store);
    await pipeline.write(11, 12);
    await pipeline.doomed().died;
    await disk.restore('ten', pipeline.store);
    let failsOver = true;
    const next = pipeline.drain('sink', {
      wrap: (slot) => {
        assert(slot.positionIn === 'sink');
        const storedPosition: typeof slot.storedPosition = async (signal) => {
          const entry = await pipeline.lastEntry();
          if (failsOver && entry.kind === 'commit' && entry.set === true && entry.registered === undefined) {
            failsOver = false;
            failOver();
          }
          return slot.storedPosition(signal);
        };
        return { ...slot, storedPosition };
      },
    });
    await asked(next);
    const what = next.witness.waitSentences.join();
    assert.match(
      what,
      /the end of what the stream holds of a batch that was started .*: nothing of it is written again/,
    );
    await pipeline.decide('main.1=accept-loss');
    await eventually(() => asksAboutSink(next));
    assert.deepEqual(pipeline.numbers, range(0, 5));
    await next.stop();
  });

  for (const isStored of [true, false]) {
    const how = isStored ? 'reached the sink, which then failed over' : 'never reached the sink';
    it(`a decision about frames of another writer does not give up a begun batch that ${how}`, async () => {
      pipeline = await SmallPipeline.make(pipeline.streams, 2);
      const { pid } = pipeline;
      await pipeline.fill(5, 'sink');
      const failOver = pipeline.replica();
      await pipeline.write(10, 12);
      if (isStored) await pipeline.doomed().died;
      else await pipeline.begin('sink');
      assert.equal((await pipeline.lastEntry()).kind, 'intent');
      await pipeline.streams.purgeStream(pipeline.main, { filter: frameSubject(pid, 'main', 0, 'orders-1') });
      const first = pipeline.drain('sink');
      await asked(first);
      await first.stop();
      failOver();
      await pipeline.decide('main.1=accept-loss');
      const second = pipeline.drain('sink');
      await eventually(() => asksAboutSink(second));
      await pipeline.decide('sink-warehouse.1=reread');
      await eventually(() => pipeline.numbers.length === 10);
      assert.deepEqual(pipeline.numbers, range(0, 10));
      await second.stop();
    });
  }

  it('what accept-loss does is said without a batch of which the edge holds nothing', async () => {
    await pipeline.fill(5, 'sink');
    await disk.save('five', pipeline.store);
    await pipeline.fill(10, 'sink');
    await pipeline.write(12, 13);
    await pipeline.begin('sink');
    await disk.restore('five', pipeline.store);
    pipeline.table.position = 6;
    const next = pipeline.drain('sink');
    await asked(next);
    await next.stop();
    assert.match(
      next.witness.waitSentences.join(),
      /continues after 6, the end of what the stream holds: what came in place of lost frames up to there is given up, and/,
    );
  });

  it('a sink that had followed, though its pod died before it said so, has lost nothing', async () => {
    await pipeline.fill(5, 'sink');
    await disk.save('five', pipeline.store);
    await pipeline.fill(10, 'sink');
    await disk.save('ten', pipeline.store);
    await pipeline.fill(11, 'sink');
    await disk.restore('ten', pipeline.store);
    const first = pipeline.doomed();
    await asked(first.pod);
    await pipeline.decide('main.1=accept-loss');
    await first.died;
    await disk.restore('five', pipeline.store);
    const second = pipeline.drain('sink');
    await asked(second);
    await pipeline.decide('main.2=accept-loss');
    // Until then its log says that it has taken what the edge has lost, and a source that starts asks about that.
    await eventually(async () => assert.equal((await pipeline.lastEntry()).to, 6));
    const source = pipeline.ingest(20);
    await eventually(async () => pipeline.numbers.includes(19) && (await pipeline.isDry()));
    assert.ok(!second.witness.connections.includes('MR_SINK_POSITION_LOST'));
    await Promise.all([source, second].map((slot) => slot.stop()));
  });

  it('an edge that goes back once more, below where a decision left it, is asked about before anything is written', async () => {
    await pipeline.fill(3, 'sink');
    await disk.save('three', pipeline.store);
    await pipeline.fill(5, 'sink');
    await disk.save('five', pipeline.store);
    await pipeline.fill(10, 'sink');
    await disk.restore('five', pipeline.store);
    const first = pipeline.drain('sink');
    await asked(first);
    await pipeline.decide('main.1=accept-loss');
    await eventually(async () => assert.equal((await pipeline.lastEntry()).to, 6));
    await first.stop();
    await disk.restore('three', pipeline.store);
    // Else it would write under the numbers that the decision has passed over, and the sink would never read them.
    const source = pipeline.ingest(8);
    await asked(source);
    await source.stop();
  });
});
