/** D5: a sink slot that asks about its sink has claimed its log, so a former owner that wakes can neither commit nor ask. */
import assert from 'node:assert/strict';
import { slotTokens } from '../../model/names.ts';
import type { Streams } from '../../stream/connection.ts';
import { forgetQuestions } from '../../stream/decisions.ts';
import { eventually } from '../support/eventually.ts';
import type { SmallPipeline } from './support/small-pipeline.ts';
import { asked, asksAboutSink, range, withSmallPipeline } from './support/small-pipeline.ts';
import { hastyClock, type RunningSlot } from './support/stages.ts';

describe('a former owner of a sink slot that asks', () => {
  let pipeline: SmallPipeline;
  withSmallPipeline((made) => {
    pipeline = made;
  });

  const asks = (slot: RunningSlot) => eventually(() => asksAboutSink(slot));

  it('cannot commit the batch that it has stored: the question would look like an old one', async () => {
    await pipeline.fill(3, 'sink');
    const failOver = pipeline.replica();
    await pipeline.fill(5, 'sink');
    await pipeline.write(10, 11);
    const [hasStored, wake] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    pipeline.table.afterWrite = () => {
      hasStored.resolve(undefined);
      return wake.promise;
    };
    const former = pipeline.drain('sink');
    await hasStored.promise;
    pipeline.table.afterWrite = undefined;
    failOver();
    const owner = pipeline.drain('sink');
    await asks(owner);
    await eventually(() => pipeline.isAskedFor());
    wake.resolve(undefined);
    assert.equal(await former.done, 'fenced');
    assert.ok(await pipeline.isAskedFor());
    assert.deepEqual(pipeline.numbers, range(0, 3));
    await owner.stop();
  });

  it('cannot put its question in the place of the open one', async () => {
    await pipeline.fill(3, 'sink');
    const failOver = pipeline.replica();
    await pipeline.fill(10, 'sink');
    failOver();
    const [isAsking, wake] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const frozen: Streams = {
      ...pipeline.streams,
      publish: async (...args: Parameters<Streams['publish']>) => {
        if (!args[0].includes('.question.')) return pipeline.streams.publish(...args);
        isAsking.resolve(undefined);
        await wake.promise;
        return pipeline.streams.publish(...args);
      },
    };
    const former = pipeline.drain('sink', { port: frozen });
    await isAsking.promise;
    const second = pipeline.drain('sink');
    await asks(second);
    await pipeline.decide('sink-warehouse.1=reread');
    await eventually(async () => pipeline.numbers.length === 10 && (await pipeline.isDry()));
    await second.stop();
    failOver();
    const third = pipeline.drain('sink');
    await asks(third);
    await eventually(() => pipeline.isAskedFor());
    const open = await pipeline.storedQuestions();
    wake.resolve(undefined);
    assert.equal(await former.done, 'fenced');
    assert.deepEqual(await pipeline.storedQuestions(), open);
    assert.ok(await pipeline.isAskedFor());
    await third.stop();
  });

  it('does not ask again when its stage was taken off: that has taken its question back', async () => {
    await pipeline.fill(3, 'commitLog');
    await pipeline.write(6, 7);
    await pipeline.removeFrame(5);
    const former = pipeline.drain('commitLog', { clock: hastyClock });
    await asked(former);
    await forgetQuestions(pipeline.streams, pipeline.pid, slotTokens('sink-warehouse', '*'));
    assert.equal(await former.done, 'fenced');
    assert.deepEqual(await pipeline.questions(), []);
  });
});
