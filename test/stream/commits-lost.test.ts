/** The stream of the commits is lost, on a real nats-server: who took part was in it, and where each reader stood. */
import { deepEqual, equal, partialDeepStrictEqual, rejects } from 'node:assert/strict';
import { parseDecision } from '../../model/decision.ts';
import { commitsEdge, edgeStream, frameSubject } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { StreamStatus } from '../../model/status.ts';
import type { Streams } from '../../stream/connection.ts';
import { carryOut, lostOf, streamsFound, type DecisionAct } from '../../stream/carry-out.ts';
import { registerPlan } from '../../stream/members.ts';
import { readPlanInForce } from '../../stream/plan-store.ts';
import { readRegistry } from '../../stream/registry.ts';
import { beginLeaving, finishLeaving, unfinished } from '../../stream/retire.ts';
import { isDrained } from '../../stream/drained.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { sweepAll } from '../../stream/sweep.ts';
import { eventually } from '../support/eventually.ts';
import { cutAfter } from './support/cut-after.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { drain, eagerClock, edgeFrames, ingest } from './support/stages.ts';
import { testPlan, withTestServer } from './support/server.ts';

describe('the commits are lost', function () {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  const upTo = (end: number, from = 0) => Array.from({ length: end - from }, (_, n) => from + n);
  const ids = ({ rows }: MemoryTable) => rows.map(({ value }) => Number(value['n']));
  const act = () => ({ streams, opSeq: 2, clock: eagerClock });

  async function decide(plan: Plan, text: string, known: readonly StreamStatus[], more: Partial<DecisionAct> = {}) {
    const decision = parseDecision(text);
    if (decision === undefined) throw new TypeError(text);
    return carryOut({ ...act(), replicas: 1, cluster: 'test', known, ...more }, plan, decision);
  }

  const written = (plan: Plan, last: number) =>
    eventually(async () =>
      (await edgeFrames(streams, plan)).some(({ values }) => values.some((value) => value.includes(`"n":${last}}`))),
    );
  const loseCommits = ({ pipeline }: Plan) => streams.deleteStream(edgeStream(pipeline.pid, commitsEdge));

  it('X1: what came into the edge since the first attempt is not given up, wherever that was cut', async () => {
    let isCut = true;
    for (let cut = 0; isCut; cut++) {
      const plan = testPlan({ shards: 1, sourceSlots: 1 });
      await ensurePipelineStreams(streams, plan);
      const known = await streamsFound(streams, plan);
      let available = 100;
      const source = ingest(streams, plan, (position) => new NumberSource(position, { available: () => available }));
      await written(plan, 99);
      await loseCommits(plan);
      isCut = await decide(plan, 'commits.lost=accept-loss', known, { streams: cutAfter(streams, cut) }).then(
        () => false,
        () => true,
      );
      available = 150;
      await written(plan, 149);
      await decide(plan, 'commits.lost=accept-loss', known);
      const table = new MemoryTable();
      const sink = drain(streams, plan, table);
      await eventually(async () => (await isDrained(streams, plan)).drained);
      await Promise.all([source.stop(), sink.stop()]);
      deepEqual(ids(table), upTo(150, 100), `cut after ${cut} writes`);
    }
  });

  /** The plan before an edit, and the one after it, in which a stage is not any more; the edit is under way. */
  async function edited(isRemoved: (stage: Plan['stages'][number]) => boolean) {
    const plan = testPlan({ shards: 1, sourceSlots: 2, sinks: ['warehouse', 'ledger'] });
    await ensurePipelineStreams(streams, plan);
    const source = ingest(streams, plan, (position) => new NumberSource(position, { available: () => 100 }));
    await written(plan, 99);
    await source.stop();
    const stages = plan.stages.filter((stage) => !isRemoved(stage));
    const next: Plan = { ...plan, pipeline: { ...plan.pipeline, generation: 2 }, stages };
    await registerPlan(act(), next);
    return { plan, next, known: await streamsFound(streams, next) };
  }

  for (const [choice, read] of [
    ['reread', 100],
    ['accept-loss', 0],
  ] as const) {
    it(`R2: a sink that is leaving is waited for, and then taken off; with ${choice} it reads ${read} records`, async () => {
      const { plan, next, known } = await edited(({ name }) => name === 'sink-ledger');
      const { pid } = plan.pipeline;
      await loseCommits(plan);
      await decide(next, `commits.lost=${choice}`, known, { earlier: [plan] });
      deepEqual((await readRegistry(streams, pid, 'main'))?.readers, ['sink-warehouse', 'sink-ledger']);
      // The edit has not come into force, and its frames are read by the plan that they name.
      partialDeepStrictEqual(await readPlanInForce(streams, pid), { generation: 1, oldest: 1 });
      equal((await unfinished(streams, next)).length, read > 0 ? 1 : 0);
      const table = new MemoryTable();
      const sink = drain(streams, plan, table, { stage: 'sink-ledger' });
      await eventually(async () => (await unfinished(streams, next)).length === 0);
      await sink.stop();
      equal(ids(table).length, read);
      await finishLeaving(act(), next);
      deepEqual((await readRegistry(streams, pid, 'main'))?.readers, ['sink-warehouse']);
    });
  }

  it('R2: a sink that the cluster has no more is not registered again: nobody would read', async () => {
    const { plan, next, known } = await edited(({ name }) => name === 'sink-ledger');
    await loseCommits(plan);
    await decide(next, 'commits.lost=reread', known, { earlier: [plan], isLive: () => false });
    deepEqual((await readRegistry(streams, plan.pipeline.pid, 'main'))?.readers, ['sink-warehouse']);
  });

  for (const [what, isKnown] of [
    ['that an older plan has', true],
    ['that nothing but its frames tells of', false],
  ] as const) {
    it(`R2: of a source ${what} the frames go when they are read`, async () => {
      const { plan, next, known } = await edited(({ kind }) => kind === 'ingestor');
      const { pid } = plan.pipeline;
      await loseCommits(plan);
      await decide(next, 'commits.lost=reread', known, isKnown ? { earlier: [plan], isLive: () => false } : {});
      deepEqual((await readRegistry(streams, pid, 'main'))?.sources, { orders: { slots: 2, leaving: true } });
      await beginLeaving(act(), next);
      const table = new MemoryTable();
      const sinks = ['sink-warehouse', 'sink-ledger'].map((stage) => drain(streams, next, table, { stage }));
      await eventually(async () => (await unfinished(streams, next)).length === 0);
      await Promise.all(sinks.map((sink) => sink.stop()));
      await finishLeaving(act(), next);
      deepEqual((await readRegistry(streams, pid, 'main'))?.sources, {});
      const filter = { last_by_subj: frameSubject(pid, 'main', 0, 'orders-0') };
      equal(await streams.getMessage(edgeStream(pid, 'main'), filter), null);
    });
  }

  it('R2: a source that is to leave and whose pods are there goes on until they are stopped', async () => {
    const { plan, next, known } = await edited(({ kind }) => kind === 'ingestor');
    await loseCommits(plan);
    await decide(next, 'commits.lost=reread', known, { earlier: [plan] });
    const source = ingest(streams, plan, (position) => new NumberSource(position, { available: () => 120 }));
    await written(plan, 119);
    await source.stop();
  });

  it('of an edge that is lost, too, a source that is to leave has a first frame, and goes on unasked', async () => {
    const { plan, next, known } = await edited(({ kind }) => kind === 'ingestor');
    await streams.deleteStream(edgeStream(plan.pipeline.pid, 'main'));
    await decide(next, 'main.lost=accept-loss', known);
    const source = ingest(streams, plan, (position) => new NumberSource(position, { available: () => 120 }));
    await written(plan, 119);
    await source.stop();
    deepEqual(
      source.witness.waits.filter(([, code]) => code === 'MR_POSITION_LOST'),
      [],
    );
  });

  describe('and somebody has made the stream again', () => {
    async function madeBySomebody() {
      const plan = testPlan({ shards: 1, sourceSlots: 1 });
      await ensurePipelineStreams(streams, plan, { cluster: 'test' });
      const known = await streamsFound(streams, plan);
      const stream = edgeStream(plan.pipeline.pid, commitsEdge);
      const { config } = await streams.streamInfo(stream);
      await streams.deleteStream(stream);
      await streams.addStream(config);
      return { plan, known };
    }

    it('W1: it is lost all the same, and a decision about it registers who takes part', async () => {
      const { plan, known } = await madeBySomebody();
      equal(lostOf(plan, known, await streamsFound(streams, plan))?.code, 'MR_STREAM_MISSING');
      const after = await decide(plan, 'commits.lost=reread', known);
      equal(lostOf(plan, after, await streamsFound(streams, plan)), undefined);
      deepEqual((await readRegistry(streams, plan.pipeline.pid, 'main'))?.readers, ['sink-warehouse']);
    });

    for (const token of ['main.lost', 'dead.lost', 'main.1', 'sink-warehouse.1']) {
      it(`W2: ${token} is refused until that is decided`, async () => {
        const { plan, known } = await madeBySomebody();
        const before = await streamsFound(streams, plan);
        await rejects(decide(plan, `${token}=accept-loss`, known), /commits\.lost is to be decided first/);
        deepEqual(await streamsFound(streams, plan), before);
      });
    }
  });

  it('reread takes what is left of frames that were swept, and asks nobody about those', async () => {
    const plan = testPlan({ shards: 1, sourceSlots: 1, frame: { maxRecords: 1, maxBytes: 1_000, lingerMs: 1 } });
    await ensurePipelineStreams(streams, plan);
    const known = await streamsFound(streams, plan);
    const source = ingest(streams, plan, (position) => new NumberSource(position, { batch: 1, available: () => 10 }));
    await written(plan, 9);
    await source.stop();
    const before = drain(streams, plan, new MemoryTable());
    await eventually(async () => (await isDrained(streams, plan)).drained);
    await before.stop();
    await sweepAll(streams, plan.pipeline.pid, plan.edges[0]!);
    await loseCommits(plan);
    await decide(plan, 'commits.lost=reread', known);
    const table = new MemoryTable();
    const sink = drain(streams, plan, table);
    const asks = () => sink.witness.waits.some(([, code]) => code === 'MR_POSITION_LOST');
    await eventually(() => asks() || table.rows.length > 0);
    deepEqual([asks(), ids(table)], [false, [9]]);
    await sink.stop();
  });

  it('a repeated attempt is one also where no status knew the streams', async () => {
    const plan = testPlan({ shards: 1, sourceSlots: 1 });
    await ensurePipelineStreams(streams, plan);
    await loseCommits(plan);
    await rejects(decide(plan, 'commits.lost=reread', [], { streams: cutAfter(streams, 1) }));
    const after = await decide(plan, 'commits.lost=reread', []);
    deepEqual((await readRegistry(streams, plan.pipeline.pid, 'main'))?.readers, ['sink-warehouse']);
    await rejects(decide(plan, 'commits.lost=reread', after), { code: 'MR_DECISION_REFUSED' });
  });
});
