/**
 * A position in the sink that is ahead of its commit log, on a real nats-server (K11): it counts while the edge is the one in which
 * it was taken. What came into the edge in place of what the sink has is never skipped.
 */
import assert from 'node:assert/strict';
import { commitsEdge, deadEdge, edgeStream } from '../../model/names.ts';
import { sweepAll } from '../../stream/sweep.ts';
import { eventually } from '../support/eventually.ts';
import { storeOf } from './support/disk.ts';
import { NumberSource } from './support/fakes.ts';
import { ingest } from './support/stages.ts';
import { asksAboutSink, questionsOf, range, type SmallPipeline, withPipelineOnDisk } from './support/small-pipeline.ts';

describe('a position in the sink that is ahead of its log', () => {
  let pipeline: SmallPipeline;
  const disk = withPipelineOnDisk((made) => {
    pipeline = made;
  });

  const loseCommits = async () => {
    await pipeline.streams.deleteStream(edgeStream(pipeline.pid, commitsEdge));
    await pipeline.decide('commits.lost=reread');
  };
  const commits = () => storeOf(edgeStream(pipeline.pid, commitsEdge));

  /** The sink goes on from there without a question, and takes what comes next. */
  const goesOn = async (total: number) => {
    const sink = pipeline.drain('sink');
    let isOver = false;
    void sink.done.then(() => (isOver = true));
    await pipeline.write(total, total + 1);
    await eventually(
      async () =>
        isOver ||
        questionsOf(sink) > 0 ||
        asksAboutSink(sink) ||
        (pipeline.numbers.includes(total - 1) && (await pipeline.isDry())),
    );
    assert.deepEqual([questionsOf(sink), asksAboutSink(sink), isOver], [0, false, false]);
    await sink.stop();
  };

  describe('when the commits were lost, and a person says reread', () => {
    it('it reads what is there in place of what it has stored: a person is asked about that', async () => {
      await pipeline.fill(5, 'sink');
      await disk.save('five', pipeline.store);
      await pipeline.write(10, 11);
      // It has stored them, and not committed them: the source is asked nothing.
      await pipeline.doomed().died;
      await disk.restore('five', pipeline.store);
      // The source (HTTP) goes on with other records, past where the edge had been, while no pod of the sink runs.
      assert.equal(questionsOf(await pipeline.write(15, 16, 0, 2_000)), 0);
      await loseCommits();
      const sink = pipeline.drain('sink');
      await eventually(async () => questionsOf(sink) > 0 || (await pipeline.isDry()));
      assert.match(sink.witness.waitSentences.join(), /the batch 7-11, which was started, has other frames now/);
      await pipeline.decide('main.1=accept-loss');
      await eventually(async () => pipeline.numbers.includes(2_014) && (await pipeline.isDry()));
      assert.deepEqual(
        pipeline.numbers.filter((n) => n >= 2_000),
        range(2_005, 2_015),
      );
      await sink.stop();
    });

    for (const what of ['swept', 'still there'])
      it(`it goes on from its own position, though its frames are ${what}, and writes nothing twice`, async () => {
        await pipeline.fill(5, 'sink');
        await pipeline.fill(10, 'sink');
        if (what === 'swept') await sweepAll(pipeline.streams, pipeline.pid, pipeline.plan.edges[0]!);
        await loseCommits();
        await goesOn(12);
        await goesOn(14);
        assert.deepEqual(pipeline.numbers, range(0, 14));
      });

    it('a batch that it had stored and not committed is finished: the row that it had refused gets its dead letter', async () => {
      await pipeline.fill(5, 'sink');
      const record = (n: number) => ({ value: JSON.stringify({ n, refuse: n === 7 }), offset: BigInt(n) });
      const source = ingest(
        pipeline.streams,
        pipeline.plan,
        (position) => new NumberSource(position, { batch: 1, available: () => 10, record }),
      );
      await eventually(async () => (await pipeline.end()) === 11);
      await source.stop();
      await pipeline.doomed().died;
      await loseCommits();
      await goesOn(12);
      await goesOn(14);
      assert.deepEqual(pipeline.numbers, [...range(0, 7), ...range(8, 14)]);
      const { state } = await pipeline.streams.streamInfo(edgeStream(pipeline.pid, deadEdge));
      assert.equal(state.messages, 1);
    });

    it('it goes on so where nothing new comes: a deletion does not wait for what it has', async () => {
      await pipeline.fill(5, 'sink');
      await pipeline.fill(10, 'sink');
      await sweepAll(pipeline.streams, pipeline.pid, pipeline.plan.edges[0]!);
      await loseCommits();
      for (let round = 0; round < 2; round++) {
        const sink = pipeline.drain('sink');
        const { witness } = sink;
        await eventually(async () => asksAboutSink(sink) || (witness.last !== null && (await pipeline.isDry())));
        assert.deepEqual([witness.last, asksAboutSink(sink)], [11, false]);
        await sink.stop();
      }
      await goesOn(12);
      assert.deepEqual(pipeline.numbers, range(0, 12));
    });
  });

  describe('when a decision has moved the sink', () => {
    /** Five are committed and saved; five more are committed and lost by the sink, which is moved past them. */
    const moved = async (saved: () => string | undefined) => {
      pipeline.table.onPositionLost = 'Continue';
      await pipeline.fill(5, 'sink');
      await disk.save('five', saved());
      const failOver = pipeline.replica();
      await pipeline.fill(10, 'sink');
      failOver();
      const sink = pipeline.drain('sink');
      await eventually(() => pipeline.table.position === 11);
      await sink.stop();
      pipeline.table.onPositionLost = 'Stop';
      await disk.restore('five', saved());
    };

    for (const choice of ['accept-loss', 'reread'] as const)
      it(`and all of nats-server goes back, it asks; with ${choice} it takes what came in place of the rest`, async () => {
        await moved(() => undefined);
        assert.equal(questionsOf(await pipeline.write(15, 16, 0, 2_000)), 0);
        const sink = pipeline.drain('sink');
        await eventually(async () => asksAboutSink(sink) || (await pipeline.isDry()));
        assert.match(sink.witness.sentences.at(-1) ?? '', /it was set to that position by a decision/);
        await pipeline.decide(`sink-warehouse.1=${choice}`);
        await eventually(async () => pipeline.numbers.includes(2_014) && (await pipeline.isDry()));
        const again = choice === 'reread' ? range(0, 5) : [];
        assert.deepEqual(pipeline.numbers, [...range(0, 5), ...again, ...range(2_005, 2_015)]);
        await sink.stop();
      });

    for (const when of ['before', 'after'] as const)
      it(`and a pod dies between the log and the sink, ${when} the sink has moved: nobody is asked`, async () => {
        await pipeline.fill(5, 'sink');
        const failOver = pipeline.replica();
        await pipeline.fill(10, 'sink');
        failOver();
        pipeline.table.onPositionLost = 'Continue';
        const moves = Promise.withResolvers<undefined>();
        const pod = pipeline.drain('sink', {
          wrap: (slot) => ({
            ...slot,
            write: async (...batch) => {
              if (when === 'after') await slot.write(...batch);
              moves.resolve(undefined);
              return new Promise(() => undefined);
            },
          }),
        });
        await moves.promise;
        pod.abort();
        pipeline.table.onPositionLost = 'Stop';
        await goesOn(12);
        assert.deepEqual(pipeline.numbers, [...range(0, 5), 10, 11]);
      });

    it('and nats-server goes back to a batch that was begun and ended there, it goes on behind that', async () => {
      await pipeline.fill(5, 'sink');
      const failOver = pipeline.replica();
      await pipeline.write(10, 11);
      await pipeline.begin('sink');
      await disk.save('begun');
      await pipeline.take(5, 'sink');
      failOver();
      pipeline.table.onPositionLost = 'Continue';
      const sink = pipeline.drain('sink');
      await eventually(() => pipeline.table.position === 11);
      await sink.stop();
      pipeline.table.onPositionLost = 'Stop';
      await disk.restore('begun');
      await goesOn(12);
      assert.deepEqual(pipeline.numbers, [...range(0, 5), 10, 11]);
    });

    it('and the commits alone go back, it goes on: the edge is the one that it was', async () => {
      await moved(commits);
      await goesOn(12);
      assert.deepEqual(pipeline.numbers, [...range(0, 5), 10, 11]);
    });
  });
});
