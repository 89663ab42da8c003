/**
 * The spec moves a sink while a person is asked about its position, on a real nats-server (K8): what it had lost where it wrote
 * before stays a question, and its answer counts where it writes by then. Nobody else looks at the old target any more.
 */
import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { asked, asksAboutSink, questionsOf, range, withSmallPipeline } from './support/small-pipeline.ts';
import type { PositionIn, SmallPipeline } from './support/small-pipeline.ts';
import type { DrainOptions, RunningSlot } from './support/stages.ts';

describe('a sink that is moved while a person is asked about it', () => {
  let pipeline: SmallPipeline;
  /** What all targets have together. */
  let kept: number[];
  withSmallPipeline((made) => {
    pipeline = made;
    kept = [];
  });

  const to = (target: string): Pick<DrainOptions, 'wrap'> => ({ wrap: (slot) => ({ ...slot, target }) });
  const all = () => [...kept, ...pipeline.numbers];

  const take = async (target: string, total: number) => {
    const sink = pipeline.drain('sink', to(target));
    await eventually(async () => all().length === total && (await pipeline.isDry()));
    await sink.stop();
  };

  /** Ten records are committed; target one fails over to a copy that has five of them, and a person is asked. */
  async function goesBack(): Promise<void> {
    await pipeline.write(5, 6);
    await take('one', 5);
    const failOver = pipeline.replica();
    await pipeline.write(10, 11);
    await take('one', 10);
    failOver();
    await asks('sink', 'one');
  }

  async function asks(positionIn: PositionIn, target: string): Promise<void> {
    const sink = pipeline.drain(positionIn, to(target));
    await asksBeforeItReads(sink);
    await sink.stop();
  }

  async function asksBeforeItReads(sink: RunningSlot): Promise<void> {
    await eventually(() => asksAboutSink(sink) || sink.witness.last !== null);
    assert.ok(asksAboutSink(sink));
  }

  /** The target of now is left as it is, and the next one is this. */
  function leave(position = 0, positionToken = ''): void {
    kept = all();
    pipeline.table.rows.length = 0;
    Object.assign(pipeline.table, { position, positionToken });
  }

  async function finish(sink: RunningSlot, expected: readonly number[]): Promise<void> {
    const before = sink.witness.sentences.length;
    await eventually(
      async () =>
        sink.witness.sentences.length > before + 50 || (pipeline.numbers.includes(11) && (await pipeline.isDry())),
    );
    assert.deepEqual([all(), questionsOf(sink)], [expected, 0]);
    assert.deepEqual(await pipeline.questions(), []);
    await sink.stop();
  }

  const everything = range(0, 12);
  const withoutTheLost = [...range(0, 5), 10, 11];

  for (const positionIn of ['sink', 'commitLog'] as const)
    for (const [choice, expected] of [
      ['reread', everything],
      ['accept-loss', withoutTheLost],
    ] as const) {
      it(`asks again about what was lost, and ${choice} is done in the next target (position then in ${positionIn})`, async () => {
        await goesBack();
        leave();
        await pipeline.write(12, 13);
        const sink = pipeline.drain(positionIn, to('two'));
        await asksBeforeItReads(sink);
        assert.match(
          sink.witness.sentences.at(-1) ?? '',
          /up to frame 6, but the commit log says 11: that was in one, which had lost the rest/,
        );
        assert.deepEqual(pipeline.numbers, []);
        await pipeline.decide(`sink-warehouse.1=${choice}`);
        await finish(sink, expected);
      });

      it(`does in the next target what was decided before it was moved: ${choice} (position then in ${positionIn})`, async () => {
        await goesBack();
        await pipeline.decide(`sink-warehouse.1=${choice}`);
        leave();
        await pipeline.write(12, 13);
        await finish(pipeline.drain(positionIn, to('two')), expected);
      });
    }

  it('does so in a target that it had left further on: that has its own records, and not those that were lost', async () => {
    await pipeline.write(2, 3);
    await take('one', 2);
    const failOver = pipeline.replica();
    await pipeline.write(5, 6);
    await take('one', 5);
    const { position: had, positionToken: token } = pipeline.table;
    leave();
    await pipeline.write(7, 8);
    await take('two', 7);
    const { position, positionToken } = pipeline.table;
    leave(had, token);
    await pipeline.write(10, 11);
    await take('one', 10);
    failOver();
    pipeline.table.rows.length = 0;
    kept = [...range(0, 2), ...range(5, 7)];
    await asks('sink', 'one');
    await pipeline.decide('sink-warehouse.1=reread');
    leave(position, positionToken);
    await pipeline.write(12, 13);
    const sink = pipeline.drain('sink', to('two'));
    await eventually(async () => asksAboutSink(sink) || (pipeline.numbers.includes(11) && (await pipeline.isDry())));
    assert.deepEqual(new Set(all()), new Set(everything));
    await sink.stop();
  });

  it('asks nobody about a target that has all of it', async () => {
    await pipeline.write(5, 6);
    await take('one', 5);
    const failOver = pipeline.replica();
    await pipeline.write(10, 11);
    await take('one', 10);
    const restored = pipeline.replica();
    failOver();
    await asks('sink', 'one');
    pipeline.table.rows.push(...range(5, 10).map((n) => ({ value: { n }, partition: null, offset: null })));
    restored();
    await pipeline.write(12, 13);
    await finish(pipeline.drain('sink', to('copy')), everything);
  });

  it('asks nobody when the target that lacks something has lost nothing itself, and is left again', async () => {
    await pipeline.write(5, 6);
    await take('one', 5);
    const lagging = pipeline.replica();
    await pipeline.write(10, 11);
    await take('one', 10);
    kept = [...range(5, 10)];
    lagging();
    await asks('sink', 'replica');
    leave();
    await pipeline.write(12, 13);
    await finish(pipeline.drain('sink', to('two')), [...range(5, 10), ...range(0, 5), 10, 11]);
  });

  it('asks again also when a decision about the edge is acted upon first', async () => {
    await goesBack();
    await pipeline.removeFrame(11);
    const meets = pipeline.drain('sink', to('one'));
    await asked(meets);
    await meets.stop();
    await pipeline.decide('main.1=accept-loss');
    leave();
    await asks('sink', 'two');
    assert.deepEqual(await pipeline.questions(), ['sink-warehouse']);
  });

  for (const choice of ['accept-loss', 'reread'] as const)
    it(`D4: to one without a position, and nothing new comes: ${choice} ends the question, and a deletion waits for nobody`, async () => {
      await goesBack();
      leave();
      assert.ok(await pipeline.isAskedFor());
      const sink = pipeline.drain('commitLog', to('two'));
      await asksBeforeItReads(sink);
      await pipeline.decide(`sink-warehouse.1=${choice}`);
      await eventually(async () => !(await pipeline.isAskedFor()) && (await pipeline.isDry()));
      assert.deepEqual(pipeline.numbers, choice === 'reread' ? range(5, 10) : []);
      await sink.stop();
    });
});
