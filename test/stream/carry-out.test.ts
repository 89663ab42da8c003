/** What a person decides after a loss, on a real nats-server, with a source slot and a sink slot at work. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { decisionChoices, parseDecision, type DecisionChoice } from '../../model/decision.ts';
import { MillraceError } from '../../model/errors.ts';
import { commitsEdge, commitSubject, deadEdge, edgeStream, frameSubject, questionSubject } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { StreamStatus } from '../../model/status.ts';
import type { Streams } from '../../stream/connection.ts';
import { carryOut, lostOf, streamsFound, type DecisionAct } from '../../stream/carry-out.ts';
import { finishLeaving } from '../../stream/retire.ts';
import type { Position, RecordBatch } from '../../stream/record-batch.ts';
import { SourceLoss } from '../../stream/source-loss.ts';
import type { SourceLossPort } from '../../stream/source-port.ts';
import { isDrained } from '../../stream/drained.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { drain, eagerClock, ingest, type RunningSlot } from './support/stages.ts';
import { testPlan, withTestServer } from './support/server.ts';

describe('decisions', function () {
  let streams: Streams;

  withTestServer((connected) => {
    streams = connected;
  });

  interface AtWork {
    readonly plan: Plan;
    readonly table: MemoryTable;
    readonly source: RunningSlot;
    readonly sink: RunningSlot;
    readonly known: readonly StreamStatus[];
    /** So many records there are. */
    total: number;
    stop(): Promise<void>;
  }

  /** A hundred records are through. */
  async function atWork(positionIn: 'commitLog' | 'sink' = 'commitLog'): Promise<AtWork> {
    const plan = testPlan({ shards: 1, sourceSlots: 1 });
    await ensurePipelineStreams(streams, plan);
    const table = new MemoryTable();
    const known = await streamsFound(streams, plan);
    const state = { total: 100 };
    const source = ingest(streams, plan, (position) => new NumberSource(position, { available: () => state.total }));
    const sink = drain(streams, plan, table, { positionIn });
    const stop = async () => {
      await Promise.all([source.stop(), sink.stop()]);
    };
    const pipeline = Object.assign(state, { plan, table, source, sink, known, stop });
    await through(pipeline);
    return pipeline;
  }

  /** A sink that keeps its position has lost it, and asks. */
  async function positionLost() {
    const pipeline = await atWork('sink');
    const { plan, table } = pipeline;
    await pipeline.stop();
    const before = table.position;
    table.position = 1;
    const sink = drain(streams, plan, table, { positionIn: 'sink' });
    await eventually(() => sink.witness.connections.includes('MR_SINK_POSITION_LOST'));
    return { pipeline, plan, table, before, sink };
  }

  const readerOf = (pipeline: Pick<AtWork, 'plan' | 'total'>) =>
    ingest(streams, pipeline.plan, (position) => new NumberSource(position, { available: () => pipeline.total }));
  const through = ({ plan, table, total }: Pick<AtWork, 'plan' | 'table' | 'total'>) =>
    eventually(async () => new Set(ids(table)).size === total && (await isDrained(streams, plan)).drained);
  const ids = ({ rows }: MemoryTable) => rows.map(({ value }) => Number(value['n']));
  const upTo = (end: number) => Array.from({ length: end }, (_, n) => n);
  const waited = ({ witness }: RunningSlot, code: string) =>
    eventually(() => witness.waits.some(([, said]) => said === code));

  function decide(
    { plan, known }: Pick<AtWork, 'plan' | 'known'>,
    text: string,
    act: Partial<DecisionAct> = {},
  ): Promise<readonly StreamStatus[]> {
    const decision = parseDecision(text);
    assert.ok(decision, text);
    const all = { streams, opSeq: 1, clock: eagerClock, replicas: 1, cluster: 'test', known, ...act };
    return carryOut(all, plan, decision);
  }

  it('an edge that is deleted stops both sides; when a person gives it up they go on with a new one', async () => {
    const pipeline = await atWork();
    await streams.deleteStream(edgeStream(pipeline.plan.pipeline.pid, 'main'));
    pipeline.total = 150;
    await waited(pipeline.sink, 'MR_EDGE_LOST');
    await waited(pipeline.source, 'MR_STREAM_MISSING');
    const lost = lostOf(pipeline.plan, pipeline.known, await streamsFound(streams, pipeline.plan));
    assert.equal(lost?.code, 'MR_EDGE_LOST');
    assert.match(lost.sentence, /millrace decide test -n default main\.lost accept-loss/);
    await decide(pipeline, 'main.lost=accept-loss');
    // Its owner held another stream: the slot is taken over anew.
    assert.equal(await pipeline.source.done, 'fenced');
    const source = readerOf(pipeline);
    // E4: no number is used twice, so whoever holds one of the stream before cannot append.
    const { state } = await streams.streamInfo(edgeStream(pipeline.plan.pipeline.pid, 'main'));
    assert.ok(state.first_seq > 1e15, String(state.first_seq));
    // No position is left, so the source begins anew: what was written before is written again, as the error says.
    await eventually(() => ids(pipeline.table).length === 250);
    await Promise.all([source.stop(), pipeline.sink.stop()]);
    assert.deepEqual(ids(pipeline.table), [...upTo(100), ...upTo(150)]);
  });

  for (const [choice, again] of [
    ['accept-loss', 0],
    ['reread', 1],
  ] as const) {
    it(`the stream of the commits is deleted: ${choice} writes what is there ${again} times more`, async () => {
      const pipeline = await atWork();
      const { plan, table } = pipeline;
      await streams.deleteStream(edgeStream(plan.pipeline.pid, commitsEdge));
      pipeline.total = 150;
      await waited(pipeline.sink, 'MR_STREAM_MISSING');
      // What is in the edge now, nobody can say whether it was written.
      pipeline.sink.abort();
      table.tokens.length = 0;
      const sink = drain(streams, plan, table);
      await waited(sink, 'MR_STREAM_MISSING');
      await decide(pipeline, `commits.lost=${choice}`);
      pipeline.total = 200;
      await eventually(async () => ids(table).includes(199) && (await isDrained(streams, plan)).drained);
      await sink.stop();
      await pipeline.source.stop();
      const times = ids(table).filter((n) => n === 99).length;
      assert.equal(times, 1 + again);
    });
  }

  it('the stream of the dead letters is deleted: it is made again, and no record is lost or written twice', async () => {
    const pipeline = await atWork();
    await streams.deleteStream(edgeStream(pipeline.plan.pipeline.pid, deadEdge));
    const lost = lostOf(pipeline.plan, pipeline.known, await streamsFound(streams, pipeline.plan));
    assert.equal(lost?.code, 'MR_STREAM_MISSING');
    await decide(pipeline, 'dead.lost=accept-loss');
    pipeline.total = 150;
    await through(pipeline);
    await pipeline.stop();
    assert.deepEqual(ids(pipeline.table), upTo(150));
  });

  it('everything is gone: the stream of the commits is asked about first, and that decision makes all of them again', async () => {
    const pipeline = await atWork();
    const { plan, table, known } = pipeline;
    await pipeline.stop();
    for (const { name } of known) await streams.deleteStream(name);
    const lost = lostOf(plan, known, await streamsFound(streams, plan));
    assert.match(lost?.sentence ?? '', /`millrace decide test -n default commits\.lost reread`/);
    await decide(pipeline, 'commits.lost=accept-loss');
    assert.equal((await streamsFound(streams, plan)).length, known.length);
    const source = readerOf(pipeline);
    const sink = drain(streams, plan, table);
    await eventually(async () => ids(table).length === 200 && (await isDrained(streams, plan)).drained);
    await Promise.all([source.stop(), sink.stop()]);
  });

  it('a reader that is told to read again does so once, and goes on', async () => {
    const pipeline = await atWork();
    const { plan, table } = pipeline;
    await pipeline.stop();
    // The last frame of the writer is gone: nobody may go on by himself.
    const stream = edgeStream(plan.pipeline.pid, 'main');
    const last = await streams.getMessage(stream, {
      last_by_subj: frameSubject(plan.pipeline.pid, 'main', 0, 'orders-0'),
    });
    assert.ok(last);
    await streams.jsm.streams.deleteMessage(stream, last.seq);
    const source = readerOf(pipeline);
    const sink = drain(streams, plan, table);
    await waited(source, 'MR_POSITION_LOST');
    await waited(sink, 'MR_POSITION_LOST');
    await decide(pipeline, 'main.1=reread');
    pipeline.total = 120;
    await eventually(() => ids(table).includes(119));
    await eventually(async () => (await isDrained(streams, plan)).drained);
    await Promise.all([source.stop(), sink.stop()]);
    assert.deepEqual([...new Set(ids(table))], upTo(120));
    // The same once more is no news, and another of that number is refused.
    await decide(pipeline, 'main.1=reread');
    await assert.rejects(decide(pipeline, 'main.1=accept-loss'), isRefused);
  });

  it('a sink that keeps its position, and has lost it, goes on when a person says how', async () => {
    const { pipeline, plan, table, before, sink } = await positionLost();
    await decide(pipeline, 'sink-warehouse.1=accept-loss');
    await eventually(() => table.position >= before);
    const source = ingest(streams, plan, (position) => new NumberSource(position, { available: () => 150 }));
    await through({ plan, table, total: 150 });
    await Promise.all([source.stop(), sink.stop()]);
    assert.deepEqual(ids(table), upTo(150));
    // The decision was used up by what the slot has committed since.
    table.position = 1;
    const later = drain(streams, plan, table, { positionIn: 'sink' });
    await eventually(() => later.witness.connections.includes('MR_SINK_POSITION_LOST'));
    await later.stop();
    assert.equal(table.position, 1);
  });

  describe('D4: a question that is none any more', () => {
    const questions = ({ pipeline: { pid } }: Plan) =>
      streams.lastOfEach(edgeStream(pid, commitsEdge), questionSubject(pid, '*', '>'));
    const noneLeft = (plan: Plan) => eventually(async () => (await questions(plan)).length === 0);
    const tailOf = async ({ pipeline: { pid } }: Plan) => {
      const last = await streams.getMessage(edgeStream(pid, 'main'), {
        last_by_subj: frameSubject(pid, 'main', 0, 'orders-0'),
      });
      assert.ok(last);
      return last.seq;
    };

    it('is taken back when somebody has put right what a sink had lost: nobody asks for a decision', async () => {
      const { pipeline, plan, table, before, sink } = await positionLost();
      table.position = before;
      pipeline.total = 150;
      const source = readerOf(pipeline);
      await through({ plan, table, total: 150 });
      await noneLeft(plan);
      await assert.rejects(decide(pipeline, 'sink-warehouse.1=accept-loss'), isRefused);
      await Promise.all([source.stop(), sink.stop()]);
    });

    for (const what of ['the commits of a sink', 'what a sink says that it has taken'] as const) {
      it(`is taken back when somebody has put right ${what}`, async () => {
        const pipeline = await atWork();
        const { plan, table } = pipeline;
        const { pid } = plan.pipeline;
        await pipeline.stop();
        const subject = commitSubject(pid, 'sink-warehouse', 0);
        const commits = edgeStream(pid, commitsEdge);
        const kept = await streams.getMessage(commits, { last_by_subj: subject });
        assert.ok(kept);
        const right = Buffer.from(kept.data).toString();
        const isGone = what === 'the commits of a sink';
        const wrong = right.replace(/"orders-0":\[\d+/, `"orders-0":[${(await tailOf(plan)) + 5}`);
        assert.notEqual(wrong, right);
        if (isGone) await streams.purgeStream(commits, { filter: subject });
        else await streams.publish(subject, wrong);
        const asking = isGone ? drain(streams, plan, table) : readerOf(pipeline);
        await waited(asking, 'MR_POSITION_LOST');
        await asking.stop();
        await streams.publish(subject, right);
        pipeline.total = 150;
        const slots = [drain(streams, plan, table), readerOf(pipeline)];
        await through(pipeline);
        await noneLeft(plan);
        await assert.rejects(decide(pipeline, 'main.1=accept-loss'), isRefused);
        await Promise.all(slots.map((slot) => slot.stop()));
        assert.deepEqual(ids(table), upTo(150));
      });
    }

    it('goes with the stage and with the source that ask it, when they are taken off', async () => {
      const { pipeline, plan, sink } = await positionLost();
      const { pid } = plan.pipeline;
      await sink.stop();
      const subject = commitSubject(pid, 'sink-warehouse', 0);
      const { data } = (await streams.getMessage(edgeStream(pid, commitsEdge), { last_by_subj: subject })) ?? {};
      const text = Buffer.from(data ?? []).toString();
      await streams.publish(subject, text.replace(/"orders-0":\[\d+/, `"orders-0":[${(await tailOf(plan)) + 5}`));
      const asking = readerOf(pipeline);
      await waited(asking, 'MR_POSITION_LOST');
      await asking.stop();
      const lost = { found: 'x', position: 'x', problem: 'x', acceptLoss: 'x', reread: 'x' };
      const parts = { streams, pipeline: plan.pipeline, stage: 'ingestor-orders', source: 'orders', slot: 0 };
      const waiting = {
        clock: eagerClock,
        random: () => 0.5,
        onWaiting: () => undefined,
        stop: new AbortController().signal,
      };
      await assert.rejects(new SourceLoss({ ...parts, ...waiting }).choiceAbout(lost), {
        code: 'MR_SOURCE_POSITION_LOST',
      });
      assert.equal((await questions(plan)).length, 3);
      await finishLeaving({ streams, opSeq: 1, clock: eagerClock }, { ...plan, stages: [] });
      assert.deepEqual(await questions(plan), []);
    });

    it('is taken back when it is decided and acted upon', async () => {
      const pipeline = await atWork();
      const { plan, table } = pipeline;
      const { pid } = plan.pipeline;
      await pipeline.stop();
      await streams.purgeStream(edgeStream(pid, commitsEdge), { filter: commitSubject(pid, 'sink-warehouse', 0) });
      const sink = drain(streams, plan, table);
      await waited(sink, 'MR_POSITION_LOST');
      await decide(pipeline, 'main.1=accept-loss');
      await noneLeft(plan);
      await sink.stop();
    });

    for (const choice of decisionChoices) {
      it(`met while it reads is kept until that is passed, and ${choice} meanwhile counts`, () =>
        metWhileReading(choice));
    }

    async function metWhileReading(choice: DecisionChoice): Promise<void> {
      const pipeline = await atWork();
      const { plan, table } = pipeline;
      const { pid } = plan.pipeline;
      await pipeline.sink.stop();
      const frames = [];
      for (const total of [110, 120, 130]) {
        pipeline.total = total;
        await eventually(() => pipeline.source.witness.last === total);
        frames.push(await tailOf(plan));
      }
      await streams.jsm.streams.deleteMessage(edgeStream(pid, 'main'), frames[1] ?? 0);
      const asking = drain(streams, plan, table);
      await waited(asking, 'MR_POSITION_LOST');
      await asking.stop();
      await decide(pipeline, `main.1=${choice}`);
      const sink = drain(streams, plan, table);
      pipeline.total = 150;
      await eventually(() => ids(table).includes(149));
      await noneLeft(plan);
      assert.deepEqual(
        sink.witness.waits.filter(([, code]) => code === 'MR_POSITION_LOST'),
        [],
      );
      await Promise.all([pipeline.source.stop(), sink.stop()]);
    }

    it('of a source is taken back when it reads again', async () => {
      const plan = testPlan({ shards: 1, sourceSlots: 1 });
      await ensurePipelineStreams(streams, plan);
      let isLost = true;
      const source = ingest(streams, plan, (position, losses) => {
        const reader = new NumberSource(position, { available: () => 10 });
        const read = reader.read.bind(reader);
        const parts = { found: 'x', position: 'x', problem: 'x', acceptLoss: 'x', reread: 'x' };
        reader.read = async (signal) => {
          if (isLost) await losses.choiceAbout(parts);
          return read(signal);
        };
        return reader;
      });
      await eventually(() => source.witness.connections.includes('MR_SOURCE_POSITION_LOST'));
      isLost = false;
      await noneLeft(plan);
      await assert.rejects(decide({ plan, known: [] }, 'ingestor-orders.1=accept-loss'), isRefused);
      await source.stop();
    });
  });

  it('D1: it is the same loss however far others have written since it was asked about', async () => {
    const pipeline = await atWork();
    const { plan, table } = pipeline;
    const { pid } = plan.pipeline;
    await pipeline.sink.stop();
    const subject = commitSubject(pid, 'sink-warehouse', 0);
    const kept = await streams.getMessage(edgeStream(pid, commitsEdge), { last_by_subj: subject });
    const entry = Buffer.from(kept?.data ?? []).toString();
    // The stream has lost its end, which the sink had read.
    await streams.publish(subject, entry.replace(/"to":\d+/, '"to":1000000'));
    const asking = drain(streams, plan, table);
    await waited(asking, 'MR_POSITION_LOST');
    await asking.stop();
    await decide(pipeline, 'main.1=accept-loss');
    pipeline.total = 120;
    await eventually(() => pipeline.source.witness.last === 120);
    const sink = drain(streams, plan, table);
    await through(pipeline);
    assert.deepEqual(
      sink.witness.waits.filter(([, code]) => code === 'MR_POSITION_LOST'),
      [],
    );
    await Promise.all([pipeline.source.stop(), sink.stop()]);
    assert.deepEqual(ids(table), upTo(120));
  });

  for (const choice of decisionChoices) {
    it(`D1: ${choice} is used up before the sink follows: cut there it goes on unasked, and the same loss again asks`, async () => {
      const { pipeline, plan, table, before, sink } = await positionLost();
      const begun = Promise.withResolvers<undefined>();
      table.beforeWrite = () => {
        begun.resolve(undefined);
        return Promise.reject(new Error('cut'));
      };
      await decide(pipeline, `sink-warehouse.1=${choice}`);
      await begun.promise;
      sink.abort();
      await sink.stop().catch(() => undefined);
      table.beforeWrite = undefined;
      const next = drain(streams, plan, table, { positionIn: 'sink' });
      await eventually(() => table.position >= before);
      await eventually(async () => (await askedAbout(plan)) === undefined);
      await next.stop();
      assert.equal(next.witness.connections.includes('MR_SINK_POSITION_LOST'), false);
      table.position = 1;
      const later = drain(streams, plan, table, { positionIn: 'sink' });
      await eventually(() => later.witness.connections.includes('MR_SINK_POSITION_LOST'));
      await later.stop();
      assert.equal(table.position, 1);
    });
  }

  /** The number under which the sink asks. */
  async function askedAbout({ pipeline: { pid } }: Plan): Promise<number | undefined> {
    const subject = questionSubject(pid, 'sink-warehouse', 'sink-warehouse.0');
    const asked = await streams.getMessage(edgeStream(pid, commitsEdge), { last_by_subj: subject });
    return asked === null
      ? undefined
      : z.object({ number: z.number() }).parse(JSON.parse(Buffer.from(asked.data).toString())).number;
  }

  it('so does one that the plan has no more and that has not read to its end', async () => {
    const { pipeline, plan, table, before, sink } = await positionLost();
    const without = { ...plan, stages: plan.stages.filter(({ kind }) => kind !== 'sink') };
    await decide({ ...pipeline, plan: without }, 'sink-warehouse.1=accept-loss');
    await eventually(() => table.position >= before);
    await sink.stop();
    // Taken off, nobody waits for a decision about it.
    await finishLeaving({ streams, opSeq: 1, clock: eagerClock }, without);
    await assert.rejects(decide({ ...pipeline, plan: without }, 'sink-warehouse.2=accept-loss'), isRefused);
  });

  it('D1: a decision about what one slot has lost is not one about what another slot loses later, or the same again', async () => {
    const plan = testPlan({ shards: 1, sourceSlots: 1, sinks: ['warehouse', 'ledger'] });
    await ensurePipelineStreams(streams, plan);
    const { pid } = plan.pipeline;
    const source = ingest(streams, plan, (position) => new NumberSource(position, { available: () => 100 }));
    const tables = { warehouse: new MemoryTable(), ledger: new MemoryTable() };
    type Name = keyof typeof tables;
    const sinkOf = (name: Name) => drain(streams, plan, tables[name], { stage: `sink-${name}` });
    const sinks = [sinkOf('warehouse'), sinkOf('ledger')];
    for (const table of Object.values(tables)) await through({ plan, table, total: 100 });
    await Promise.all([source, ...sinks].map((slot) => slot.stop()));
    const losesCommits = async (name: Name, next: string) => {
      await streams.purgeStream(edgeStream(pid, commitsEdge), { filter: commitSubject(pid, `sink-${name}`, 0) });
      const sink = sinkOf(name);
      await waited(sink, 'MR_POSITION_LOST');
      await assert.rejects(decide({ plan, known: [] }, `main.${Number(next) + 1}=accept-loss`), isRefused);
      await decide({ plan, known: [] }, `main.${next}=accept-loss`);
      await eventually(async () => (await isDrained(streams, plan)).drained);
      await sink.stop();
    };
    await losesCommits('warehouse', '1');
    await losesCommits('ledger', '2');
    await losesCommits('ledger', '3');
    assert.deepEqual(ids(tables.ledger), upTo(100));
  });

  it('D1: what a writer has lost is asked about once, however often it is taken over while others go on', async () => {
    const plan = testPlan({ shards: 1, sourceSlots: 2 });
    await ensurePipelineStreams(streams, plan);
    const stream = edgeStream(plan.pipeline.pid, 'main');
    const table = new MemoryTable();
    const available = [10, 10];
    const sourceOf = (slot: number) =>
      ingest(streams, plan, (position) => new NumberSource(position, { available: () => available[slot]! }), slot);
    const sink = drain(streams, plan, table);
    const busy = sourceOf(1);
    let idle = sourceOf(0);
    const rows = (count: number) =>
      eventually(async () => table.rows.length === count && (await isDrained(streams, plan)).drained);
    await rows(20);
    available[0] = 20;
    await rows(30);
    await idle.stop();
    const last = await streams.getMessage(stream, {
      last_by_subj: frameSubject(plan.pipeline.pid, 'main', 0, 'orders-0'),
    });
    assert.ok(last);
    await streams.jsm.streams.deleteMessage(stream, last.seq);
    // From now on nothing comes to it.
    available[0] = 0;
    idle = sourceOf(0);
    await waited(idle, 'MR_POSITION_LOST');
    await decide({ plan, known: [] }, 'main.1=accept-loss');
    for (const count of [40, 50, 60]) {
      await eventually(() => idle.witness.last !== null);
      await idle.stop();
      available[1] = count - 20;
      await eventually(() => table.rows.length === count);
      idle = sourceOf(0);
    }
    await eventually(() => idle.witness.last !== null);
    assert.deepEqual(
      idle.witness.waits.filter(([, code]) => code === 'MR_POSITION_LOST'),
      [],
    );
    await Promise.all([idle, busy, sink].map((slot) => slot.stop()));
  });

  it('C2: commits made again by an attempt that was cut are registered by the next, as the person has said', async () => {
    const pipeline = await atWork();
    const { plan, table, known } = pipeline;
    const { pid } = plan.pipeline;
    await pipeline.stop();
    await streams.deleteStream(edgeStream(pid, commitsEdge));
    const cut = new Error('cut');
    const cutStreams = Object.assign(Object.create(streams) as typeof streams, {
      publish: () => Promise.reject(cut),
    });
    await assert.rejects(decide(pipeline, 'commits.lost=reread', { streams: cutStreams }), cut);
    // No operation goes on in between: it would let readers begin after what is there.
    assert.equal(lostOf(plan, known, await streamsFound(streams, plan))?.code, 'MR_STREAM_MISSING');
    const after = await decide(pipeline, 'commits.lost=reread');
    assert.equal(lostOf(plan, after, await streamsFound(streams, plan)), undefined);
    table.tokens.length = 0;
    const sink = drain(streams, plan, table);
    await eventually(async () => (await isDrained(streams, plan)).drained);
    await sink.stop();
    assert.deepEqual(ids(table), [...upTo(100), ...upTo(100)]);
  });

  it('C2: a decision about one stream does not make another one again that is gone, too', async () => {
    const pipeline = await atWork();
    const { plan } = pipeline;
    await pipeline.stop();
    for (const edge of ['main', deadEdge]) await streams.deleteStream(edgeStream(plan.pipeline.pid, edge));
    const after = await decide(pipeline, 'main.lost=accept-loss');
    const lost = lostOf(plan, after, await streamsFound(streams, plan));
    assert.match(lost?.sentence ?? '', /decide test -n default dead\.lost/);
    const last = await decide({ plan, known: after }, 'dead.lost=accept-loss');
    assert.equal(lostOf(plan, last, await streamsFound(streams, plan)), undefined);
  });

  describe('a source that has lost the position of its slots', () => {
    /** Loses its place each time it has read what there is, until 50. */
    interface Lost {
      at: number;
      /** What it asked last. */
      asked: string;
      readonly choices: DecisionChoice[];
    }

    class Forgetful extends NumberSource {
      readonly #losses: SourceLossPort;
      readonly #lost: Lost;

      constructor(position: Position | undefined, losses: SourceLossPort, lost: Lost) {
        super(position, { available: () => lost.at });
        this.#losses = losses;
        this.#lost = lost;
      }

      override async read(signal: AbortSignal): Promise<RecordBatch | undefined> {
        if (this.lag() > 0 || this.#lost.at > 50) return super.read(signal);
        const found = `place ${this.#lost.at}`;
        const parts = {
          found,
          position: 'its place',
          problem: 'it is gone',
          acceptLoss: 'goes on',
          reread: 'reads again',
        };
        try {
          this.#lost.choices.push(await this.#losses.choiceAbout(parts));
        } catch (error) {
          if (error instanceof MillraceError) this.#lost.asked = error.sentence;
          throw error;
        }
        this.#lost.at += 10;
        return super.read(signal);
      }
    }

    it('Q1: waits, each slot; goes on when a person has decided; and asks again about the next loss', async () => {
      const plan = testPlan({ shards: 1, sourceSlots: 2 });
      await ensurePipelineStreams(streams, plan);
      const known = await streamsFound(streams, plan);
      const lost = [0, 1].map((): Lost => ({ at: 20, asked: '', choices: [] }));
      const open = (slot: number) =>
        ingest(streams, plan, (position, losses) => new Forgetful(position, losses, lost[slot]!), slot);
      const slots = [open(0), open(1)];
      const asks = (slot: number, number: number) =>
        eventually(() => lost[slot]!.asked.includes(`decide test -n default ingestor-orders.${number} accept-loss`));
      for (const [number, choice] of [
        [1, 'accept-loss'],
        [2, 'reread'],
      ] as const) {
        await Promise.all([asks(0, number), asks(1, number)]);
        await decide({ plan, known }, `ingestor-orders.${number}=${choice}`);
        await eventually(() => lost.every(({ choices }) => choices.length === number && choices.at(-1) === choice));
      }
      // Another owner does not know that the decision was used.
      await Promise.all(slots.map((slot) => slot.stop()));
      lost[0]!.asked = '';
      const later = open(0);
      await asks(0, 3);
      assert.equal(lost[0]!.choices.length, 2);
      await later.stop();
    });
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ['main.lost=reread', /is there, and is the one that was made/],
    ['commits.lost=reread', /is there/],
    ['dead.lost=accept-loss', /is there/],
    ['nowhere.1=reread', /has no edge and no stage nowhere/],
    ['sink-warehouse.lost=reread', /is not a stream/],
    ['main.1=accept-loss', /no slot asks for it/],
    ['sink-warehouse.1=reread', /no slot asks for it/],
  ];
  for (const [text, why] of refused) {
    it(`${text} about a pipeline that has lost nothing is refused, and changes nothing`, async () => {
      const plan = testPlan({ shards: 1, sourceSlots: 1 });
      await ensurePipelineStreams(streams, plan);
      const known = await streamsFound(streams, plan);
      await assert.rejects(decide({ plan, known }, text), why);
      assert.deepEqual(await streamsFound(streams, plan), known);
      const commits = await streams.lastOfEach(
        edgeStream(plan.pipeline.pid, commitsEdge),
        commitSubject(plan.pipeline.pid, '*', 0),
      );
      assert.equal(commits.length, 1);
    });
  }
});

function isRefused(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'MR_DECISION_REFUSED';
}
