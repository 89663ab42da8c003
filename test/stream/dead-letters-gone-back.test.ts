/**
 * A record that fails has its dead letter also when its frame has a number under which a letter is stored already: the
 * edge has gone back since, and the dead edge has not (D5 of stream/stored-letters.ts). On a real nats-server.
 */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { parseDecision } from '../../model/decision.ts';
import { deadEdge, edgeStream } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import { carryOut, streamsFound } from '../../stream/carry-out.ts';
import { readDeadLetters } from '../../stream/dead-letters.ts';
import { isDrained } from '../../stream/drained.ts';
import { finishLeaving, unfinished } from '../../stream/retire.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { storeOf } from './support/disk.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { takeEffect } from './support/leaving.ts';
import { testPlan } from './support/server.ts';
import { asked, questionsOf, range, type SmallPipeline, withPipelineOnDisk } from './support/small-pipeline.ts';
import { drain, eagerClock, ingest, type RunningSlot } from './support/stages.ts';

const numberOf = z.object({ n: z.number() });

describe('numbers that have dead letters are given again', () => {
  let pipeline: SmallPipeline;
  const disk = withPipelineOnDisk((made) => {
    pipeline = made;
  });

  /** Each record in a frame of its own, until the edge ends there. Those of which `isMisfit` fit no table. */
  async function write(
    plan: Plan,
    {
      total,
      until,
      from = 0,
      isMisfit,
    }: { total: number; until: number; from?: number; isMisfit: (n: number) => boolean },
  ): Promise<void> {
    const { streams } = pipeline;
    const record = (n: number) => ({
      value: JSON.stringify({ n: n + from, ...(isMisfit(n) ? { misfit: true } : {}) }),
      offset: BigInt(n),
    });
    const writer = ingest(
      streams,
      plan,
      (position) => new NumberSource(position, { batch: 1, available: () => total, record }),
    );
    const end = async () => (await streams.streamInfo(edgeStream(plan.pipeline.pid, 'main'))).state.last_seq;
    await eventually(async () => (await end()) >= until);
    await writer.stop();
  }

  async function lettersOf(pid: string) {
    const { letters } = await readDeadLetters(pipeline.streams, pid);
    return letters.map(({ stage, value }) => ({
      stage,
      n: numberOf.parse(JSON.parse(Buffer.from(value ?? []).toString())).n,
    }));
  }

  for (const positionIn of ['commitLog', 'sink'] as const) {
    it(`after the edge and the commits went back; the sink keeps its position in the ${positionIn}`, async () => {
      const { pid, plan } = pipeline;
      const dead = storeOf(edgeStream(pid, deadEdge));
      const isMisfit = (n: number) => n === 7;
      const taken = async () => {
        const sink = pipeline.drain(positionIn);
        await eventually(async () => questionsOf(sink) > 0 || (await pipeline.isDry()));
        await sink.stop();
        assert.equal(questionsOf(sink), 0);
      };
      await pipeline.fill(5, positionIn);
      const replica = pipeline.replica();
      await disk.save('all');
      await write(plan, { total: 10, until: 11, isMisfit });
      await taken();
      await disk.save('dead', dead);
      await disk.restore('all');
      await disk.restore('dead', dead);
      if (positionIn === 'sink') replica();
      await write(plan, { total: 10, until: 11, from: 2_000, isMisfit });
      await taken();
      const letters = (await lettersOf(pid)).map(({ n }) => n);
      assert.deepEqual(letters, [7, 2_007]);
      assert.deepEqual(
        pipeline.numbers.filter((n) => n >= 2_000),
        [2_005, 2_006, 2_008, 2_009],
      );
    });
  }

  it('while the sink was taken off, which is put back', async () => {
    const { streams } = pipeline;
    const frame = { maxRecords: 1, maxBytes: 1_000, lingerMs: 1 };
    const plan = testPlan({ shards: 1, sourceSlots: 1, sinks: ['warehouse', 'ledger'], frame });
    const { pid } = plan.pipeline;
    const main = edgeStream(pid, 'main');
    const act = { streams, opSeq: 2, clock: eagerClock };
    await ensurePipelineStreams(streams, plan);
    const known = await streamsFound(streams, plan);
    const [warehouse, ledger] = [new MemoryTable(), new MemoryTable()];
    const sinksOf = (at: Plan): readonly RunningSlot[] => [
      drain(streams, at, warehouse, { stage: 'sink-warehouse' }),
      drain(streams, at, ledger, { stage: 'sink-ledger' }),
    ];
    const dry = (at: Plan) => eventually(async () => (await isDrained(streams, at)).drained);
    const take = async (at: Plan) => {
      const sinks = sinksOf(at);
      await dry(at);
      await Promise.all(sinks.map((sink) => sink.stop()));
    };

    await write(plan, { total: 5, until: 6, isMisfit: () => false });
    await take(plan);
    await disk.save('five', storeOf(main));
    await write(plan, { total: 10, until: 11, isMisfit: () => true });
    await take(plan);
    const without: Plan = {
      ...plan,
      pipeline: { ...plan.pipeline, generation: 2 },
      stages: plan.stages.filter(({ name }) => name !== 'sink-ledger'),
    };
    await takeEffect(act, without);
    await eventually(async () => (await unfinished(streams, without)).length === 0);
    await finishLeaving(act, without);
    await disk.restore('five', storeOf(main));
    // The sink that is left asks, and a person decides.
    const asking = drain(streams, without, warehouse, { stage: 'sink-warehouse' });
    await asked(asking);
    const decision = parseDecision('main.1=accept-loss');
    assert.ok(decision);
    await carryOut({ streams, opSeq: 3, clock: eagerClock, replicas: 1, cluster: 'test', known }, without, decision);
    await dry(without);
    await asking.stop();
    const again: Plan = { ...plan, pipeline: { ...plan.pipeline, generation: 3 } };
    await takeEffect({ ...act, opSeq: 4 }, again);
    const { last_seq: end } = (await streams.streamInfo(main)).state;
    // All of them under numbers that have letters.
    assert.ok(end < 9);
    const total = 5 + (11 - end);
    await write(again, { total, until: 11, from: 2_000, isMisfit: () => true });
    await take(again);
    const letters = (await lettersOf(pid)).filter(({ n }) => n >= 2_000);
    for (const stage of ['sink-warehouse', 'sink-ledger'])
      assert.deepEqual(
        letters.filter((letter) => letter.stage === stage).map(({ n }) => n),
        range(2_005, 2_000 + total),
      );
  });
});
