/** A sink that goes back behind what a person has decided about its edge, or behind what was swept (I6, K6). */
import assert from 'node:assert/strict';
import { sweepAll } from '../../stream/sweep.ts';
import { eventually } from '../support/eventually.ts';
import {
  asked,
  asksAboutSink,
  questionsOf,
  range,
  SmallPipeline,
  type PositionIn,
  withSmallPipeline,
} from './support/small-pipeline.ts';

describe('a sink that goes back behind a decision about its edge, or behind swept frames', () => {
  let pipeline: SmallPipeline;
  withSmallPipeline((made) => {
    pipeline = made;
  });

  /** Of ten records the eighth is lost, and a person has accepted that. The first five were written before. */
  const acceptLoss = async (positionIn: PositionIn) => {
    await pipeline.write(10, 11);
    await pipeline.removeFrame(9);
    const sink = pipeline.drain(positionIn);
    await asked(sink);
    await pipeline.decide('main.1=accept-loss');
    await eventually(async () => pipeline.numbers.length === 9 && (await pipeline.isDry()));
    await sink.stop();
  };
  const accepted = [...range(0, 7), ...range(8, 10)];

  it('asks nobody about a frame that was accepted, and reads it again', async () => {
    pipeline.table.onPositionLost = 'Reread';
    await pipeline.fill(5, 'sink');
    let failOver: (() => void) | undefined;
    pipeline.table.afterWrite = () => {
      // It has followed the decision, and has nothing of what comes after that.
      if (pipeline.numbers.length === 5) failOver = pipeline.replica();
      return Promise.resolve();
    };
    await acceptLoss('sink');
    pipeline.table.afterWrite = undefined;
    failOver?.();
    assert.deepEqual(pipeline.numbers, range(0, 5));
    await pipeline.write(12, 14);
    const sink = pipeline.drain('sink');
    await eventually(async () => questionsOf(sink) > 0 || (pipeline.numbers.includes(11) && (await pipeline.isDry())));
    assert.equal(questionsOf(sink), 0);
    assert.deepEqual(pipeline.numbers, [...accepted, 10, 11]);
    await sink.stop();
  });

  it('asks nobody about a frame that was accepted when a person decides to reread because of a later one', async () => {
    await pipeline.fill(5, 'commitLog');
    await acceptLoss('commitLog');
    await pipeline.write(15, 17);
    await pipeline.removeFrame(14);
    const sink = pipeline.drain('commitLog');
    await asked(sink);
    await pipeline.decide('main.2=reread');
    await eventually(async () => questionsOf(sink) > 1 || (pipeline.numbers.includes(14) && (await pipeline.isDry())));
    assert.equal(questionsOf(sink), 1);
    assert.deepEqual(pipeline.numbers, [...accepted, ...accepted, 10, ...range(12, 15)]);
    await sink.stop();
  });

  for (const policy of ['Reread', 'Stop'] as const)
    it(`reads all that is there, whatever was given up since the position that it has (onPositionLost: ${policy})`, async () => {
      await pipeline.fill(5, 'sink');
      const failOver = pipeline.replica();
      await acceptLoss('sink');
      await pipeline.write(14, 16);
      await pipeline.take(4, 'sink');
      failOver();
      pipeline.table.onPositionLost = policy;
      const sink = pipeline.drain('sink');
      if (policy === 'Stop') {
        await eventually(() => asksAboutSink(sink));
        await pipeline.decide('sink-warehouse.1=reread');
      }
      await pipeline.write(16, 18);
      await eventually(async () => pipeline.numbers.includes(15) && (await pipeline.isDry()));
      assert.deepEqual(pipeline.numbers, [...range(0, 5), ...accepted, ...range(10, 16)]);
      assert.equal(questionsOf(sink), 0);
      await sink.stop();
    });

  it('asks nobody about swept frames when it goes back twice, and reads what is left', async () => {
    pipeline = await SmallPipeline.make(pipeline.streams, 2);
    pipeline.table.onPositionLost = 'Reread';
    await pipeline.fill(3, 'sink');
    const failOverFurther = pipeline.replica();
    await pipeline.fill(8, 'sink');
    await pipeline.write(1, 11, 1);
    await pipeline.take(1, 'sink');
    const failOver = pipeline.replica();
    await pipeline.write(20, 23);
    await pipeline.take(12, 'sink');
    await sweepAll(pipeline.streams, pipeline.pid, pipeline.plan.edges[0]!);
    failOver();
    await pipeline.begin('sink');
    failOverFurther();
    const sink = pipeline.drain('sink');
    await pipeline.write(25, 28);
    await eventually(async () => questionsOf(sink) > 0 || (pipeline.numbers.includes(24) && (await pipeline.isDry())));
    assert.equal(questionsOf(sink), 0);
    assert.deepEqual(pipeline.numbers, [...range(0, 3), 1_000, ...range(19, 25)]);
    await sink.stop();
  });
});
