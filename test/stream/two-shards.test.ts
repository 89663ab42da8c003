/** An edge of two shards that goes back (I6, D6). Writer 0 writes to shard 0, writer 1 to shard 1. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { parseDecision } from '../../model/decision.ts';
import { commitsEdge, commitSubject, edgeStream } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import { carryOut, streamsFound } from '../../stream/carry-out.ts';
import { decodeCommitEntry } from '../../stream/commit-entry.ts';
import type { Streams } from '../../stream/connection.ts';
import { isDrained } from '../../stream/drained.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { sweepAll } from '../../stream/sweep.ts';
import { eventually } from '../support/eventually.ts';
import { storeOf, withDisk } from './support/disk.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { takeEffect } from './support/leaving.ts';
import { testPlan } from './support/server.ts';
import { asked, questionsOf } from './support/small-pipeline.ts';
import { drain, eagerClock, ingest, type DrainOptions } from './support/stages.ts';

describe('an edge of two shards that goes back', () => {
  let streams: Streams;
  let plan: Plan;
  let known: Awaited<ReturnType<typeof streamsFound>>;
  let tables: readonly [MemoryTable, MemoryTable];
  const disk = withDisk((connected) => {
    streams = connected;
  });
  const one = { maxRecords: 1, maxBytes: 1_000, lingerMs: 1 };
  beforeEach(async () => {
    plan = testPlan({ shards: 2, sourceSlots: 2, frame: one });
    tables = [new MemoryTable(), new MemoryTable()];
    await ensurePipelineStreams(streams, plan);
    known = await streamsFound(streams, plan);
  });

  const main = () => edgeStream(plan.pipeline.pid, 'main');
  const end = async () => (await streams.streamInfo(main())).state.last_seq;
  /** The source slot has so many records; of what comes now, record i is `from` + i. */
  const write = async (slot: 0 | 1, total: number, until: number, from = 1_000 * slot) => {
    const record = (n: number) => ({ value: JSON.stringify({ n: n + from }), offset: BigInt(n) });
    const writer = ingest(
      streams,
      plan,
      (position) => new NumberSource(position, { batch: 1, available: () => total, record }),
      slot,
    );
    await eventually(async () => (await end()) >= until || questionsOf(writer) > 0);
    await writer.stop();
    assert.equal(questionsOf(writer), 0, 'the writer asks');
  };
  const sinkOf = (slot: 0 | 1, options: DrainOptions & { readonly port?: Streams } = {}) => {
    const { port = streams, ...more } = options;
    return drain(port, plan, tables[slot], { slot, ...more });
  };
  const numbers = (slot: 0 | 1) => tables[slot].rows.map(({ value }) => z.number().parse(value['n']));
  const isDry = async (slot?: 0 | 1) =>
    (await isDrained(streams, plan)).behind.every((behind) => slot !== undefined && behind.slot !== slot);
  const take = async (slot: 0 | 1) => {
    const sink = sinkOf(slot);
    await eventually(async () => questionsOf(sink) > 0 || (await isDry(slot)));
    assert.equal(questionsOf(sink), 0, `sink slot ${slot} asks`);
    await sink.stop();
  };
  const decide = async (text: string) => {
    const decision = parseDecision(text);
    assert.ok(decision);
    await carryOut({ streams, opSeq: 1, clock: eagerClock, replicas: 1, cluster: 'test', known }, plan, decision);
  };
  const lastKind = async () => {
    const subject = commitSubject(plan.pipeline.pid, 'sink-warehouse', 0);
    const last = await streams.getMessage(edgeStream(plan.pipeline.pid, commitsEdge), { last_by_subj: subject });
    assert.ok(last);
    return decodeCommitEntry(last.data, { stream: commitsEdge, sequence: last.seq }).kind;
  };

  it('D6: a decision is no answer where the edge has gone back once more, also when the frame at its end then was of another shard and is swept', async () => {
    await write(0, 5, 7);
    await take(0);
    await disk.save('five', storeOf(main()));
    await write(0, 15, 17);
    const pod = sinkOf(0, { wrap: (slot) => ({ ...slot, write: () => new Promise(() => undefined) }) });
    await eventually(async () => (await lastKind()) === 'intent');
    pod.abort();
    await write(1, 3, 20);
    await streams.jsm.streams.deleteMessage(main(), 17);
    const first = sinkOf(0);
    await asked(first);
    await first.stop();
    await decide('main.1=accept-loss');
    // No pod of the sink's slot 0 runs. The edge goes back, and its sources write others.
    await disk.restore('five', storeOf(main()));
    await write(0, 15, 17, 2_000);
    await write(1, 8, 25);
    await take(1);
    await sweepAll(streams, plan.pipeline.pid, plan.edges[0]!);
    const sink = sinkOf(0);
    await eventually(async () => questionsOf(sink) > 0 || (await isDry()));
    const questions = questionsOf(sink);
    await sink.stop();
    assert.ok(questions > 0, `nobody is asked, and the sink has ${numbers(0).join()}`);
  });

  it('I6: the frames of a source that is added after the edge went back are read, although a reader was placed behind their numbers', async () => {
    // Shard 1 has no writer yet.
    const before = testPlan({ shards: 2, sourceSlots: 1, frame: one });
    plan = before;
    await ensurePipelineStreams(streams, plan);
    await write(0, 5, 6);
    await disk.save('five', storeOf(main()));
    await write(0, 30, 31);
    // A sink is added: its reader of shard 1 is placed at the end of the edge.
    const [ingestor, sinkStage] = [plan.stages[0], plan.stages[1]];
    assert.ok(ingestor?.kind === 'ingestor' && sinkStage?.kind === 'sink');
    const ledger = {
      ...sinkStage,
      name: 'sink-ledger',
      workload: 'sink-ledger',
      sink: 'ledger',
      ownsStepFailures: false,
    };
    plan = { ...before, pipeline: { ...before.pipeline, generation: 2 }, stages: [...before.stages, ledger] };
    await takeEffect({ streams, opSeq: 2, clock: eagerClock }, plan);
    const placed = await end();
    // Its pods do not run yet. The edge goes back; in shard 1 nothing is lost. Then a source of two slots is added.
    await disk.restore('five', storeOf(main()));
    const other = { ...ingestor, name: 'ingestor-other', workload: 'ingestor-other', source: 'other', slots: 2 };
    const sources = { ...sinkStage.sources, other: { topic: null, schema: null } };
    const stages = plan.stages.map((stage) => (stage.kind === 'sink' ? { ...stage, sources } : stage));
    plan = { ...plan, pipeline: { ...plan.pipeline, generation: 3 }, stages: [other, ...stages] };
    await takeEffect({ streams, opSeq: 3, clock: eagerClock }, plan);
    assert.ok((await end()) < placed - 5);
    const total = placed + 10;
    await write(1, total, placed + 5, 5_000);
    const table = new MemoryTable();
    const sink = drain(streams, plan, table, { slot: 1, stage: 'sink-ledger' });
    await eventually(() => questionsOf(sink) > 0 || table.rows.length > 0);
    const questions = questionsOf(sink);
    const got = table.rows.map(({ value }) => z.number().parse(value['n']));
    await sink.stop();
    assert.ok(questions > 0 || got[0] === 5_000, `the first that the sink has is ${got[0]}, and nobody is asked`);
  });

  it('I8: a slot whose connection is back late notices that the frames before its position are others, or drains never end', async () => {
    await write(0, 5, 7);
    await take(0);
    const [isHeld, release] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    await disk.save('five', storeOf(main()));
    await write(0, 10, 12);
    await take(0);
    let isHolding = false;
    const sink = sinkOf(0, {
      port: {
        ...streams,
        addConsumer: async (...args) => {
          if (isHolding) {
            isHeld.resolve(undefined);
            await release.promise;
          }
          return streams.addConsumer(...args);
        },
      },
    });
    await eventually(() => sink.witness.last === 12);
    isHolding = true;
    await disk.restore('five', storeOf(main()));
    await isHeld.promise;
    // The source has other records now. (Written as by a pod whose question a person has answered.)
    const writer = ingest(
      streams,
      plan,
      (position) =>
        new NumberSource(position, {
          batch: 1,
          // With the mark of the decision the edge ends where it ended.
          available: () => 9,
          record: (n) => ({ value: JSON.stringify({ n: n + 2_000 }), offset: BigInt(n) }),
        }),
      0,
    );
    await asked(writer);
    await decide('main.1=accept-loss');
    await eventually(async () => (await end()) >= 12);
    await writer.stop();
    release.resolve(undefined);
    const deadline = performance.now() + 30_000;
    await eventually(async () => questionsOf(sink) > 0 || (await isDry()) || performance.now() > deadline);
    const state = { questions: questionsOf(sink), isDry: await isDry() };
    await sink.stop();
    assert.ok(
      state.questions > 0 || state.isDry,
      `after 30 s: ${JSON.stringify(state)}; the sink has ${numbers(0).join()}`,
    );
  });
});
