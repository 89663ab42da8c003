/** M7 of stream/register-writers.ts: a source has left and come back, and the edge goes back. */
import assert from 'node:assert/strict';
import type { Plan } from '../../model/plan.ts';
import { readRegistry } from '../../stream/registry.ts';
import { eventually } from '../support/eventually.ts';
import { comeBack, leave, withoutSources } from './support/leaving.ts';
import { asked, questionsOf, range, type SmallPipeline, withPipelineOnDisk } from './support/small-pipeline.ts';
import { eagerClock } from './support/stages.ts';

describe('a source that has come back to an edge that goes back', () => {
  let pipeline: SmallPipeline;
  const disk = withPipelineOnDisk((made) => {
    pipeline = made;
  });
  const numbered = (generation: number): Plan => ({
    ...pipeline.plan,
    pipeline: { ...pipeline.plan.pipeline, generation },
  });

  it('asks about a loss of its frames: that is not its departure of before', async () => {
    const { streams, pid } = pipeline;
    const act = (opSeq: number) => ({ streams, opSeq, clock: eagerClock });
    await pipeline.fill(5, 'commitLog');
    await disk.save('five', pipeline.store);
    await pipeline.fill(20, 'commitLog');
    const reader = pipeline.drain('commitLog');
    await leave(act(2), withoutSources(pipeline.plan, 2));
    await reader.stop();
    const gone = (await readRegistry(streams, pid, 'main'))?.gone['orders'] ?? 0;
    assert.ok(gone >= 21);
    // The edge goes back. The sink asks, and a person decides.
    await disk.restore('five', pipeline.store);
    const asking = pipeline.drain('commitLog');
    await asked(asking);
    await pipeline.decide('main.1=accept-loss');
    await eventually(async () => (await pipeline.lastEntry()).kind === 'commit' && (await pipeline.isDry()));
    await asking.stop();
    // The source comes back, and goes on after its 20th record.
    await comeBack(act(3), numbered(3));
    await pipeline.write(22, (await pipeline.end()) + 2);
    await pipeline.take(2, 'commitLog');
    await disk.save('22', pipeline.store);
    const at22 = await pipeline.end();
    await pipeline.write(25, at22 + 3);
    await pipeline.take(3, 'commitLog');
    assert.deepEqual(pipeline.numbers, range(0, 25));
    assert.ok((await pipeline.end()) <= gone);
    // It goes back once more. The writer asks; a person accepts that; it is a source whose records are others now.
    await disk.restore('22', pipeline.store);
    const writer = pipeline.ingest(30, 0, 2_000);
    await asked(writer);
    await pipeline.decide('main.2=accept-loss');
    await eventually(async () => (await pipeline.end()) >= at22 + 8);
    await writer.stop();
    const sink = pipeline.drain('commitLog');
    await eventually(async () => questionsOf(sink) > 0 || (await pipeline.isDry()));
    const questions = questionsOf(sink);
    await sink.stop();
    assert.ok(
      questions > 0,
      `nobody is asked; of 2022 to 2029 the sink has ${pipeline.numbers.filter((n) => n > 2_000).join()}`,
    );
  });
});
