/** What happens between a question about the edge, its decision and the slot that acts upon it (I6, D1). */
import assert from 'node:assert/strict';
import { frameSubject } from '../../model/names.ts';
import { eventually } from '../support/eventually.ts';
import type { SmallPipeline } from './support/small-pipeline.ts';
import { asked, questionsOf, range, withPipelineOnDisk } from './support/small-pipeline.ts';

describe('an edge that changes while a person is asked about it', () => {
  let pipeline: SmallPipeline;
  const disk = withPipelineOnDisk((made) => {
    pipeline = made;
  }, 2);

  const ofOther = () => pipeline.numbers.filter((n) => n >= 1_000);

  for (const positionIn of ['commitLog', 'sink'] as const)
    for (const asks of ['before', 'after'] as const)
      it(`a writer that lost nothing goes on; the sink (position in ${positionIn}) asks ${asks} that, and reads it`, async () => {
        await pipeline.fill(5, positionIn);
        await disk.save('five', pipeline.store);
        await pipeline.fill(10, positionIn);
        await disk.restore('five', pipeline.store);
        const other = asks === 'after' ? await pipeline.write(5, 12, 1) : undefined;
        const sink = pipeline.drain(positionIn);
        await asked(sink);
        assert.match(sink.witness.waitSentences.join(), /`.* main\.1 accept-loss` continues after 7, /);
        assert.equal(questionsOf(other ?? (await pipeline.write(5, 12, 1))), 0);
        await pipeline.decide('main.1=accept-loss');
        await eventually(async () => ofOther().length === 5 && (await pipeline.isDry()));
        assert.deepEqual(pipeline.numbers, [...range(0, 10), ...range(1_000, 1_005)]);
        assert.equal(questionsOf(sink), 1);
        await sink.stop();
      });

  it('a decision about a frame in the middle gives up nothing of an edge that went back before it', async () => {
    await pipeline.fill(5, 'commitLog');
    await disk.save('five', pipeline.store);
    await pipeline.fill(10, 'commitLog');
    await pipeline.write(15, 17);
    await pipeline.removeFrame(13);
    const sink = pipeline.drain('commitLog');
    await asked(sink);
    assert.match(sink.witness.waitSentences.join(), /frame 14 of orders-0, .* follows frame 13/);
    await disk.restore('five', pipeline.store);
    await pipeline.write(7, 14, 1);
    await pipeline.decide('main.1=accept-loss');
    await eventually(() => ofOther().length === 7);
    await sink.stop();
  });

  it('D6: frames that went after the decision were not decided about, also when the slot begins again over it', async () => {
    await pipeline.fill(5, 'commitLog');
    await disk.save('five', pipeline.store);
    await pipeline.fill(10, 'commitLog');
    await disk.restore('five', pipeline.store);
    const before = pipeline.drain('commitLog');
    await asked(before);
    await before.stop();
    const writer = pipeline.ingest(12, 0, 2_000);
    await asked(writer);
    await pipeline.decide('main.1=accept-loss');
    await eventually(async () => (await pipeline.end()) >= 14);
    await writer.stop();
    const filter = frameSubject(pipeline.pid, 'main', 0, 'orders-0');
    await pipeline.streams.purgeStream(pipeline.main, { filter, seq: 11 });
    const sink = pipeline.drain('commitLog');
    await asked(sink);
    assert.match(sink.witness.waitSentences.join(), /frame 11 of orders-0, of which none was seen, follows frame 10/);
    await sink.stop();
  });
});
