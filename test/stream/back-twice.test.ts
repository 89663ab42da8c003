/**
 * K10 of stream/sink-position.ts, on a real nats-server: the edge goes back, a person decides, and before the sink has
 * followed that decision something happens once more.
 */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { parseDecision } from '../../model/decision.ts';
import { commitsEdge, commitSubject, edgeStream, frameSubject } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import { decodeCommitEntry } from '../../stream/commit-entry.ts';
import type { Streams } from '../../stream/connection.ts';
import { carryOut, streamsFound } from '../../stream/carry-out.ts';
import { isDrained } from '../../stream/drained.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { storeOf, withDisk } from './support/disk.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { testPlan } from './support/server.ts';
import { drain, eagerClock, ingest, type RunningSlot } from './support/stages.ts';

const neverStores: NonNullable<Parameters<typeof drain>[3]>['wrap'] = (slot) => ({
  ...slot,
  write: () => new Promise(() => undefined),
});

function planOf(sourceSlots: number): Plan {
  const frame = { maxRecords: 1, maxBytes: 1_000, lingerMs: 1 };
  const batch = { maxRecords: 1_000, maxBytes: 1_000_000, maxDelayMs: 100 };
  return testPlan({ shards: 1, sourceSlots, frame, batch });
}

describe('an edge that goes back, and its sink or the edge once more (K10, I6)', () => {
  let streams: Streams;
  let plan: Plan;
  let table: MemoryTable;
  let known: Awaited<ReturnType<typeof streamsFound>>;

  const disk = withDisk((connected) => {
    streams = connected;
  });
  beforeEach(async () => {
    plan = planOf(1);
    table = new MemoryTable();
    await ensurePipelineStreams(streams, plan);
    known = await streamsFound(streams, plan);
  });

  const numbers = () => table.rows.map(({ value }) => z.number().parse(value['n']));
  const start = (total: number) =>
    ingest(streams, plan, (position) => new NumberSource(position, { batch: 1, available: () => total }));
  const lastFrame = async () => (await streams.streamInfo(edgeStream(plan.pipeline.pid, 'main'))).state.last_seq;
  const lastEntry = async () => {
    const subject = commitSubject(plan.pipeline.pid, 'sink-warehouse', 0);
    const last = await streams.getMessage(edgeStream(plan.pipeline.pid, commitsEdge), { last_by_subj: subject });
    assert.ok(last);
    return decodeCommitEntry(last.data, { stream: commitsEdge, sequence: last.seq });
  };
  const store = () => storeOf(edgeStream(plan.pipeline.pid, 'main'));
  const drainSink = () => drain(streams, plan, table, { positionIn: 'sink' });
  /** Records are in the edge, each in a frame behind the writer's first one, and in the sink if it is to take them. */
  const fill = async (total: number, to: 'sink' | 'edge', writers = 1) => {
    const slots = [start(total), ...(to === 'sink' ? [drainSink()] : [])];
    const isFilled = async () =>
      to === 'edge'
        ? (await lastFrame()) === total + writers
        : numbers().length === total && (await isDrained(streams, plan)).drained;
    await eventually(isFilled);
    await Promise.all(slots.map((slot) => slot.stop()));
  };
  /** A pod that dies once the sink has stored what it writes next. */
  const doomed = () => {
    const stored = new Promise<void>((resolve) => {
      table.afterWrite = () => {
        resolve();
        return new Promise(() => undefined);
      };
    });
    const pod = drainSink();
    const died = stored.then(() => {
      pod.abort();
      table.afterWrite = undefined;
    });
    return { pod, died };
  };
  const asked = (slot: RunningSlot) =>
    eventually(() => slot.witness.waits.some(([, code]) => code === 'MR_POSITION_LOST'));
  const decide = async (text: string) => {
    const decision = parseDecision(text);
    assert.ok(decision);
    await carryOut({ streams, opSeq: 1, clock: eagerClock, replicas: 1, cluster: 'test', known }, plan, decision);
  };
  const isAskedAboutSink = (slot: RunningSlot) => slot.witness.connections.includes('MR_SINK_POSITION_LOST');

  it('a sink that had the begun batch, and loses it after the decision, is asked about', async () => {
    await fill(5, 'sink');
    const replica = { rows: table.rows.length, position: table.position, positionToken: table.positionToken };
    await fill(10, 'edge');
    await disk.save('ten', store());
    await fill(11, 'edge');
    await doomed().died;
    await disk.restore('ten', store());
    let failsOver = true;
    const next = drain(streams, plan, table, {
      positionIn: 'sink',
      wrap: (slot) => {
        assert(slot.positionIn === 'sink');
        const storedPosition: typeof slot.storedPosition = async (signal) => {
          const entry = await lastEntry();
          if (failsOver && entry.kind === 'commit' && entry.set === true && entry.registered === undefined) {
            failsOver = false;
            table.rows.length = replica.rows;
            Object.assign(table, { position: replica.position, positionToken: replica.positionToken });
          }
          return slot.storedPosition(signal);
        };
        return { ...slot, storedPosition };
      },
    });
    await asked(next);
    const what = next.witness.waitSentences.join();
    assert.match(
      what,
      /the end of what the stream holds of a batch that was started .*: nothing of it is written again/,
    );
    await decide('main.1=accept-loss');
    await eventually(() => isAskedAboutSink(next));
    assert.deepEqual(numbers(), [0, 1, 2, 3, 4]);
    await next.stop();
  });

  for (const isStored of [true, false]) {
    const how = isStored ? 'reached the sink, which then failed over' : 'never reached the sink';
    it(`a decision about frames of another writer does not give up a begun batch that ${how}`, async () => {
      plan = planOf(2);
      await ensurePipelineStreams(streams, plan);
      const { pid } = plan.pipeline;
      await fill(5, 'sink', 2);
      const { position, positionToken } = table;
      await fill(10, 'edge', 2);
      const isBegun = async () => (await lastEntry()).kind === 'intent';
      if (isStored) {
        await doomed().died;
      } else {
        const pod = drain(streams, plan, table, { positionIn: 'sink', wrap: neverStores });
        await eventually(isBegun);
        pod.abort();
      }
      assert.ok(await isBegun());
      await streams.purgeStream(edgeStream(pid, 'main'), { filter: frameSubject(pid, 'main', 0, 'orders-1') });
      const first = drainSink();
      await asked(first);
      await first.stop();
      table.rows.length = 5;
      Object.assign(table, { position, positionToken });
      await decide('main.1=accept-loss');
      const second = drainSink();
      await eventually(() => isAskedAboutSink(second));
      await decide('sink-warehouse.1=reread');
      await eventually(() => numbers().length === 10);
      assert.deepEqual(numbers(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      await second.stop();
    });
  }

  it('what accept-loss does is said without a batch of which the edge holds nothing', async () => {
    await fill(5, 'sink');
    await disk.save('five', store());
    await fill(10, 'sink');
    await fill(12, 'edge');
    const pod = drain(streams, plan, table, { positionIn: 'sink', wrap: neverStores });
    await eventually(async () => (await lastEntry()).kind === 'intent');
    pod.abort();
    await disk.restore('five', store());
    table.position = 6;
    const next = drainSink();
    await asked(next);
    await next.stop();
    assert.match(
      next.witness.waitSentences.join(),
      /continues after 6, the end of what the stream holds: what came in place of lost frames up to there is given up, and/,
    );
  });

  it('a sink that had followed, though its pod died before it said so, has lost nothing', async () => {
    await fill(5, 'sink');
    await disk.save('five', store());
    await fill(10, 'sink');
    await disk.save('ten', store());
    await fill(11, 'sink');
    await disk.restore('ten', store());
    const first = doomed();
    await asked(first.pod);
    await decide('main.1=accept-loss');
    await first.died;
    await disk.restore('five', store());
    const second = drainSink();
    await asked(second);
    await decide('main.2=accept-loss');
    // Until then its log says that it has taken what the edge has lost, and a source that starts asks about that.
    await eventually(async () => assert.equal((await lastEntry()).to, 6));
    const source = start(20);
    await eventually(async () => numbers().includes(19) && (await isDrained(streams, plan)).drained);
    assert.equal(isAskedAboutSink(second), false);
    await Promise.all([source, second].map((slot) => slot.stop()));
  });

  it('an edge that goes back once more, below where a decision left it, is asked about before anything is written', async () => {
    await fill(3, 'sink');
    await disk.save('three', store());
    await fill(5, 'sink');
    await disk.save('five', store());
    await fill(10, 'sink');
    await disk.restore('five', store());
    const first = drainSink();
    await asked(first);
    await decide('main.1=accept-loss');
    await eventually(async () => assert.equal((await lastEntry()).to, 6));
    await first.stop();
    await disk.restore('three', store());
    // Else it would write under the numbers that the decision has passed over, and the sink would never read them.
    const source = start(8);
    await asked(source);
    await source.stop();
  });
});
