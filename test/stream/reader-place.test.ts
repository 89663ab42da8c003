/**
 * P2 of stream/reader-place.ts, on a real nats-server: the commits go back, and with them the registration of a sink that
 * was added and the plan that has it. What was written under that plan is for it: it takes it, or asks.
 */
import assert from 'node:assert/strict';
import { commitsEdge, edgeStream } from '../../model/names.ts';
import { edgeOf, type Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { isDrained } from '../../stream/drained.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { sweepAll } from '../../stream/sweep.ts';
import { eventually } from '../support/eventually.ts';
import { storeOf, withDisk } from './support/disk.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { takeEffect } from './support/leaving.ts';
import { testPlan } from './support/server.ts';
import { questionsOf, range } from './support/small-pipeline.ts';
import { drain, eagerClock, ingest } from './support/stages.ts';

describe('the registration of a sink that was added is lost', () => {
  let streams: Streams;
  const disk = withDisk((connected) => {
    streams = connected;
  });
  const frame = { maxRecords: 1, maxBytes: 1_000, lingerMs: 1 };
  const numbersIn = ({ rows }: MemoryTable) => rows.map(({ value }) => value['n']);

  /** Five records are of the plan before, ten of the one that was lost. `then`: before the next operation. */
  async function registeredAgain(then: (second: Plan) => Promise<void>) {
    const next = testPlan({ shards: 1, sourceSlots: 1, sinks: ['warehouse', 'ledger'], frame });
    const first: Plan = { ...next, stages: next.stages.filter(({ name }) => name !== 'sink-ledger') };
    const second: Plan = { ...next, pipeline: { ...next.pipeline, generation: 2 } };
    const { pid } = first.pipeline;
    const commits = storeOf(edgeStream(pid, commitsEdge));
    const write = async (plan: Plan, total: number) => {
      const source = ingest(
        streams,
        plan,
        (position) => new NumberSource(position, { batch: 1, available: () => total }),
      );
      await eventually(() => source.witness.last === total);
      await source.stop();
    };
    await ensurePipelineStreams(streams, first);
    await write(first, 5);
    await disk.save('before', commits);
    await takeEffect({ streams, opSeq: 2, clock: eagerClock }, second);
    await write(second, 15);
    await disk.restore('before', commits);
    await then(second);
    await takeEffect({ streams, opSeq: 3, clock: eagerClock }, second);
    const [warehouse, ledger] = [new MemoryTable(), new MemoryTable()];
    const sinks = [
      drain(streams, second, warehouse, { stage: 'sink-warehouse' }),
      drain(streams, second, ledger, { stage: 'sink-ledger' }),
    ] as const;
    await eventually(
      async () => sinks.some((sink) => questionsOf(sink) > 0) || (await isDrained(streams, second)).drained,
    );
    await Promise.all(sinks.map((sink) => sink.stop()));
    return { ledger, asked: sinks.map(questionsOf), sentences: sinks[1].witness.waitSentences.join() };
  }

  it('and it begins with what was written for it', async () => {
    const { ledger, asked } = await registeredAgain(() => Promise.resolve());
    assert.deepEqual(numbersIn(ledger), range(5, 15));
    assert.deepEqual(asked, [0, 0]);
  });

  it('and it asks when some of what was written for it may be gone', async () => {
    const { asked, sentences } = await registeredAgain(async (second) => {
      const sink = drain(streams, second, new MemoryTable(), { stage: 'sink-warehouse' });
      await eventually(
        async () => (await isDrained(streams, second, { stage: (name) => name === 'sink-warehouse' })).drained,
      );
      await sink.stop();
      await sweepAll(streams, second.pipeline.pid, edgeOf(second, 'main'));
    });
    assert.deepEqual(asked, [0, 1]);
    assert.match(sentences, /of which none was seen, follows frame/);
  });
});
