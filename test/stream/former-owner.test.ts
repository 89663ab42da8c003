/** D5: a sink slot that asks about its sink has claimed its log, so a former owner that wakes can neither commit nor ask. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { askedBy } from '../../activities/streams/open-questions.ts';
import { parseDecision } from '../../model/decision.ts';
import { edgeStream } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import { carryOut, streamsFound } from '../../stream/carry-out.ts';
import type { Streams } from '../../stream/connection.ts';
import { isDrained } from '../../stream/drained.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { testPlan, withTestServer } from './support/server.ts';
import { drain, eagerClock, ingest, type RunningSlot } from './support/stages.ts';

describe('a former owner of a sink slot that wakes while the new one asks', () => {
  let streams: Streams;
  let plan: Plan;
  let table: MemoryTable;
  withTestServer((connected) => {
    streams = connected;
  });
  beforeEach(async () => {
    const frame = { maxRecords: 1, maxBytes: 1_000, lingerMs: 1 };
    const batch = { maxRecords: 1_000, maxBytes: 1_000_000, maxDelayMs: 100 };
    plan = testPlan({ shards: 1, sourceSlots: 1, frame, batch });
    table = new MemoryTable();
    await ensurePipelineStreams(streams, plan);
  });

  const numbers = () => table.rows.map(({ value }) => z.number().parse(value['n']));
  const start = (total: number) =>
    ingest(streams, plan, (position) => new NumberSource(position, { batch: 1, available: () => total }));
  const drainSink = (port = streams) => drain(port, plan, table, { positionIn: 'sink' });
  const fill = async (total: number) => {
    const slots = [start(total), drainSink()];
    await eventually(async () => numbers().length === total && (await isDrained(streams, plan)).drained);
    await Promise.all(slots.map((slot) => slot.stop()));
  };
  const replica = () => {
    const { position, positionToken, rows } = table;
    const { length } = rows;
    return () => {
      table.rows.length = length;
      Object.assign(table, { position, positionToken });
    };
  };
  const asks = (slot: RunningSlot) => eventually(() => slot.witness.connections.at(-1) === 'MR_SINK_POSITION_LOST');
  const isAskedFor = async () => (await askedBy(streams, plan, () => true))?.code === 'MR_DRAIN_ASKS';

  it('cannot commit the batch that it has stored: the question would look like an old one', async () => {
    await fill(3);
    const failOver = replica();
    await fill(5);
    const source = start(10);
    await eventually(
      async () => (await streams.streamInfo(edgeStream(plan.pipeline.pid, 'main'))).state.last_seq === 11,
    );
    await source.stop();
    const [hasStored, wake] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    table.afterWrite = () => {
      hasStored.resolve(undefined);
      return wake.promise;
    };
    const former = drainSink();
    await hasStored.promise;
    table.afterWrite = undefined;
    failOver();
    const owner = drainSink();
    await asks(owner);
    await eventually(isAskedFor);
    wake.resolve(undefined);
    assert.equal(await former.done, 'fenced');
    assert.ok(await isAskedFor());
    assert.deepEqual(numbers(), [0, 1, 2]);
    await owner.stop();
  });

  it('cannot put its question in the place of the open one', async () => {
    const known = await streamsFound(streams, plan);
    await fill(3);
    const failOver = replica();
    await fill(10);
    failOver();
    const [isAsking, wake] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const frozen: Streams = {
      ...streams,
      publish: async (...args: Parameters<Streams['publish']>) => {
        if (!args[0].includes('.question.')) return streams.publish(...args);
        isAsking.resolve(undefined);
        await wake.promise;
        return streams.publish(...args);
      },
    };
    const former = drainSink(frozen);
    await isAsking.promise;
    const second = drainSink();
    await asks(second);
    const decision = parseDecision('sink-warehouse.1=reread');
    assert.ok(decision);
    await carryOut({ streams, opSeq: 1, clock: eagerClock, replicas: 1, cluster: 'test', known }, plan, decision);
    await eventually(async () => numbers().length === 10 && (await isDrained(streams, plan)).drained);
    await second.stop();
    failOver();
    const third = drainSink();
    await asks(third);
    await eventually(isAskedFor);
    wake.resolve(undefined);
    assert.equal(await former.done, 'fenced');
    assert.ok(await isAskedFor());
    await third.stop();
  });
});
