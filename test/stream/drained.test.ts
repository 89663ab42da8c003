/** Whether the readers of an edge have taken all that is for them; on a real nats-server. */
import { equal, ok } from 'node:assert/strict';
import { commitsEdge, commitSubject, edgeStream, planSubject, storedPlanSubject } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { commitOf, isDrained } from '../../stream/drained.ts';
import { registerPlan } from '../../stream/members.ts';
import { passOverAll } from '../../stream/pass-over.ts';
import { leavingOf, stoppedBehind, unfinished } from '../../stream/retire.ts';
import { makePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTable } from './support/fakes.ts';
import { leave, takeEffect, withoutSources } from './support/leaving.ts';
import { testPlan, withTestServer } from './support/server.ts';
import { pour } from './support/pour.ts';
import { drain, eagerClock } from './support/stages.ts';

const late = 'sink-late';

describe('whether a reader is behind', function () {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  const act = (opSeq: number) => ({ streams, opSeq, clock: eagerClock });

  let table: MemoryTable;
  beforeEach(() => void (table = new MemoryTable()));

  /** With both sinks as generation 1, and without the late one as generation 2. */
  function plans(maxRecords: number) {
    const frame = { maxRecords, maxBytes: 4_096, lingerMs: 1 };
    const both = testPlan({ shards: 1, sourceSlots: 1, sinks: ['warehouse', 'late'], edgeBytes: 10_000_000, frame });
    return {
      both: numbered(both, 1),
      without: numbered({ ...both, stages: both.stages.filter(({ name }) => name !== late) }, 2),
    };
  }

  /** 100 records under a first plan without the late sink, which a second plan adds; that one is only registered. */
  async function added() {
    const { both, without } = plans(10);
    const [first, second] = [numbered(without, 1), numbered(both, 2)];
    await makePipelineStreams(streams, first);
    await takeEffect(act(1), first);
    await registerPlan(act(2), second);
    await pour(streams, first, table, 100);
    return { first, second };
  }

  /** 100 records under a plan with the late sink, which has read them, and then so many more; and a plan without it. */
  async function takenOff(maxRecords = 10, more = 0) {
    const { both: first, without: second } = plans(maxRecords);
    await makePipelineStreams(streams, first);
    await takeEffect(act(1), first);
    const reader = drain(streams, first, new MemoryTable(), { stage: late });
    await pour(streams, first, table, 100);
    await eventually(() => isLateDrained(first));
    await reader.stop();
    const read = await endOf(first);
    if (more > 0) await pour(streams, first, table, 100 + more);
    const end = { read, written: await endOf(first) };
    await takeEffect(act(2), second);
    return { first, second, end };
  }

  async function endOf({ pipeline: { pid } }: Plan): Promise<number> {
    return (await streams.streamInfo(edgeStream(pid, 'main'))).state.last_seq;
  }

  const isLateDrained = async (plan: Plan, of: Streams = streams) =>
    (await isDrained(of, plan, { stage: (name) => name === late })).drained;

  it('N4: not with frames of plans before it, which it has never begun to read', async () => {
    const { second } = await added();
    equal(await isLateDrained(second), true);
    await takeEffect(act(2), second);
    await pour(streams, second, table, 101);
    equal(await isLateDrained(second), false);
  });

  it('N4: not with frames of plans after it, when it had read all that were for it', async () => {
    const { first, second } = await takenOff();
    await pour(streams, second, table, 200);
    equal(await isLateDrained(second), true);
    // It left, and a source left and came back: the frame that it took last went on purpose.
    const sink = drain(streams, first, table, { stage: 'sink-warehouse' });
    const reader = drain(streams, first, new MemoryTable(), { stage: late });
    await leave(act(3), withoutSources(second, 3));
    await Promise.all([sink.stop(), reader.stop()]);
    const fourth = numbered(second, 4);
    await takeEffect(act(4), fourth);
    await pour(streams, fourth, table, 300);
    equal(await isLateDrained(fourth), true);
  });

  for (const hasBegun of [false, true])
    it(`N4: not because a plan with it came and went without a record; begun: ${hasBegun}`, async () => {
      const { first, second } = hasBegun ? await takenOff() : await added();
      const without = hasBegun ? second : first;
      await takeEffect(act(5), numbered(hasBegun ? first : second, 5));
      const last = numbered(without, 6);
      await takeEffect(act(6), last);
      await pour(streams, last, table, 300);
      equal(await isLateDrained(last), true);
    });

  it('N4: with a frame for it among others that are not', async () => {
    const { first, second } = await added();
    await takeEffect(act(2), second);
    await pour(streams, second, table, 101);
    const third = numbered(first, 3);
    await takeEffect(act(3), third);
    await pour(streams, third, table, 200);
    for (let look = 0; look < 20; look++) await passOverAll(streams, third);
    equal(await isLateDrained(third), false);
  });

  it('N7: one look tells, however many frames are not for it', async () => {
    const { first, second } = await takenOff(1);
    await pour(streams, second, table, 400);
    const again = numbered(second, 3);
    await takeEffect(act(3), again);
    await pour(streams, again, table, 600);
    const read = counting();
    equal(await isLateDrained(again, read.streams), true);
    ok(read.frames(first) < 30, `${read.frames(first)} frames were read`);
  });

  it('N7: nor does it when what is for it comes before them', async () => {
    const { first, second } = await takenOff(1, 50);
    await pour(streams, second, table, 600);
    const read = counting();
    equal(await isLateDrained(second, read.streams), false);
    ok(read.frames(first) < 30, `${read.frames(first)} frames were read`);
  });

  /** Counts what is asked of an edge. */
  function counting() {
    const asked: string[] = [];
    const getMessage: Streams['getMessage'] = (stream, query) => {
      asked.push(stream);
      return streams.getMessage(stream, query);
    };
    const frames = ({ pipeline: { pid } }: Plan) => asked.filter((name) => name === edgeStream(pid, 'main')).length;
    return { streams: { ...streams, getMessage }, frames };
  }

  describe('N6: with what nobody knows', () => {
    it('a plan that the replica does not show yet', async () => {
      const { first, second } = await added();
      await takeEffect(act(2), second);
      await pour(streams, second, table, 110);
      const plans = await streams.lastOfEach(
        edgeStream(first.pipeline.pid, commitsEdge),
        `${planSubject(first.pipeline.pid)}.*`,
      );
      const lagging = Object.create(streams, {
        lastOfEach: {
          value: async (...asked: Parameters<Streams['lastOfEach']>) =>
            asked[1].startsWith(planSubject(first.pipeline.pid)) ? plans.slice(0, 1) : streams.lastOfEach(...asked),
        },
      }) as Streams;
      for (let look = 0; look < 20; look++) await passOverAll(lagging, second);
      equal(await isLateDrained(second, lagging), false);
      equal((await unfinished(lagging, numbered(first, 3))).length, 1);
    });

    it('a plan that is not stored any more', async () => {
      const { first, second } = await added();
      await takeEffect(act(2), second);
      await pour(streams, second, table, 110);
      const { pid } = first.pipeline;
      await streams.purgeStream(edgeStream(pid, commitsEdge), { filter: storedPlanSubject(pid, 2) });
      equal(await isLateDrained(second), false);
    });

    it('the oldest plan, under which its frames are read, and which is not stored any more', async () => {
      const { first, second } = await takenOff(10, 50);
      equal(await isLateDrained(second), false);
      const { pid } = first.pipeline;
      await streams.purgeStream(edgeStream(pid, commitsEdge), { filter: storedPlanSubject(pid, 1) });
      equal(await isLateDrained(second), false);
    });

    it('frames that are gone', async () => {
      const { first, second, end } = await takenOff(10, 50);
      await pour(streams, second, table, 300);
      equal(await isLateDrained(second), false);
      const { pid } = first.pipeline;
      for (let sequence = end.read + 1; sequence <= end.written; sequence++)
        await streams.jsm.streams.deleteMessage(edgeStream(pid, 'main'), sequence);
      equal(await isLateDrained(second), false);
    });

    it('N5: a batch that it has begun, whatever the frames of that number are now', async () => {
      const { first, second, end } = await takenOff();
      const { pid } = first.pipeline;
      const last = await commitOf(streams, pid, late, 0);
      const range = { from: end.read + 1, to: end.read + 3, after: end.read, token: 't', rows: 3, check: 1 };
      const intent = { kind: 'intent', ...range, chain: last?.chain };
      await streams.publish(commitSubject(pid, late, 0), JSON.stringify(intent));
      await pour(streams, second, table, 200);
      equal(await isLateDrained(second), false);
    });
  });

  it('L4: a stage that leaves, and was stopped before it had read everything, is started again', async () => {
    const { second } = await takenOff(10, 50);
    const behind = await unfinished(streams, second);
    const { readers } = await leavingOf(streams, second);
    equal(
      stoppedBehind(behind, readers, (stage) => stage === late),
      late,
    );
    equal(
      stoppedBehind(behind, readers, () => false),
      undefined,
    );
    equal(
      stoppedBehind([], readers, () => true),
      undefined,
    );
  });
});

function numbered(plan: Plan, generation: number): Plan {
  return { ...plan, pipeline: { ...plan.pipeline, generation } };
}
