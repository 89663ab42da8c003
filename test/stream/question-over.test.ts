/** D4 of stream/decisions.ts: a question about an edge is taken back when nobody needs its answer, and no other one with it. */
import assert from 'node:assert/strict';
import type { SinkProgram } from '../../stream/sink-port.ts';
import { eventually } from '../support/eventually.ts';
import { jsonProgram } from './support/fakes.ts';
import type { SmallPipeline } from './support/small-pipeline.ts';
import { asked, asksAboutSink, questionsOf, range, withPipelineOnDisk } from './support/small-pipeline.ts';
import { hastyClock } from './support/stages.ts';

describe('a question about an edge that is over', () => {
  let pipeline: SmallPipeline;
  const disk = withPipelineOnDisk((made) => {
    pipeline = made;
  });

  it('is taken back when the frame that it is about is gone with the edge', async () => {
    await pipeline.fill(5, 'commitLog');
    await disk.save('five', pipeline.store);
    await pipeline.write(8, 9);
    await disk.save('eight', pipeline.store);
    await disk.restore('five', pipeline.store);
    await pipeline.write(8, 9, 0, 2_000);
    await disk.save('others', pipeline.store);
    await disk.restore('eight', pipeline.store);
    // It takes three frames, and waits for more.
    const stages = pipeline.plan.stages.map((stage) =>
      stage.kind === 'sink' ? { ...stage, batch: { ...stage.batch, maxDelayMs: 600_000 } } : stage,
    );
    let taken = 0;
    const run: SinkProgram['run'] = (...record) => {
      taken++;
      return jsonProgram.run(...record);
    };
    const first = pipeline.drain('commitLog', { plan: { ...pipeline.plan, stages }, program: { run } });
    await eventually(() => taken === 3);
    await disk.restore('others', pipeline.store);
    await asked(first);
    first.abort();
    assert.deepEqual(await pipeline.questions(), ['main']);
    await disk.restore('five', pipeline.store);
    const second = pipeline.drain('commitLog');
    await pipeline.write(6, 7, 0, 4_000);
    await eventually(async () => pipeline.numbers.includes(4_005) && (await pipeline.isDry()));
    assert.deepEqual(pipeline.numbers, [...range(0, 5), 4_005]);
    assert.deepEqual(await pipeline.questions(), []);
    assert.equal(questionsOf(second), 0);
    await second.stop();
  });

  it('is taken back when the edge is restored while the slot asks, and the slot reads on', async () => {
    await pipeline.fill(5, 'commitLog');
    await disk.save('five', pipeline.store);
    await pipeline.fill(10, 'commitLog');
    await disk.save('ten', pipeline.store);
    await disk.restore('five', pipeline.store);
    const sink = pipeline.drain('commitLog', { clock: hastyClock });
    await asked(sink);
    await disk.restore('ten', pipeline.store);
    const enough = questionsOf(sink) + 50;
    await pipeline.write(12, 13);
    const isDone = async () => pipeline.numbers.length > 10 && (await pipeline.isDry());
    await eventually(async () => questionsOf(sink) > enough || (await isDone()));
    assert.deepEqual(pipeline.numbers, range(0, 12));
    assert.deepEqual(await pipeline.questions(), []);
    await sink.stop();
  });

  it('leaves one about the sink open, so a drain waits for that', async () => {
    await pipeline.fill(5, 'sink');
    await disk.save('five', pipeline.store);
    const failOver = pipeline.replica();
    await pipeline.fill(10, 'sink');
    await disk.save('ten', pipeline.store);
    failOver();
    const first = pipeline.drain('sink');
    await eventually(() => asksAboutSink(first));
    await first.stop();
    assert.ok(await pipeline.isAskedFor());
    await disk.restore('five', pipeline.store);
    const second = pipeline.drain('sink');
    await asked(second);
    await second.stop();
    assert.deepEqual([...(await pipeline.questions())].sort(), ['main', 'sink-warehouse']);
    await disk.restore('ten', pipeline.store);
    // The sink is out of reach.
    const isTried = Promise.withResolvers<undefined>();
    const third = pipeline.drain('sink', {
      wrap: (slot) => {
        assert(slot.positionIn === 'sink');
        const storedPosition = (): Promise<never> => {
          isTried.resolve(undefined);
          return new Promise(() => undefined);
        };
        return { ...slot, storedPosition };
      },
    });
    await isTried.promise;
    assert.deepEqual(await pipeline.questions(), ['sink-warehouse']);
    assert.ok(await pipeline.isAskedFor());
    third.abort();
    const sink = pipeline.drain('sink');
    await eventually(() => asksAboutSink(sink));
    await pipeline.decide('sink-warehouse.1=reread');
    await eventually(async () => pipeline.numbers.length === 10 && (await pipeline.isDry()));
    assert.deepEqual(pipeline.numbers, range(0, 10));
    assert.equal(await pipeline.isAskedFor(), false);
    await sink.stop();
  });
});
