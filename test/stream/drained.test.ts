/** Whether the readers of an edge have taken all that is for them; on a real nats-server. */
import { equal } from 'node:assert/strict';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { isDrained } from '../../stream/drained.ts';
import { registerPlan } from '../../stream/members.ts';
import { passOverAll } from '../../stream/pass-over.ts';
import { makePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { takeEffect } from './support/leaving.ts';
import { testPlan, withTestServer } from './support/server.ts';
import { drain, eagerClock, ingest } from './support/stages.ts';

const late = 'sink-late';

describe('N4: a sink is not behind', function () {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  const act = (opSeq: number) => ({ streams, opSeq, clock: eagerClock });

  /** Two sinks, and the same without the late one. */
  function plans() {
    const frame = { maxRecords: 10, maxBytes: 4_096, lingerMs: 1 };
    const both = testPlan({ shards: 1, sourceSlots: 1, sinks: ['warehouse', 'late'], edgeBytes: 1_000_000, frame });
    return { both, without: { ...both, stages: both.stages.filter(({ name }) => name !== late) } };
  }

  const isLateDrained = async (plan: Plan) =>
    (await isDrained(streams, plan, { stage: (name) => name === late })).drained;

  /** Writes under this plan until the other sink has this many records. */
  async function pour(plan: Plan, table: MemoryTable, upTo: number): Promise<void> {
    const sink = drain(streams, plan, table, { stage: 'sink-warehouse' });
    const writer = ingest(streams, plan, (position) => new NumberSource(position, { available: () => upTo }));
    await eventually(() => table.rows.length === upTo);
    await writer.stop();
    await sink.stop();
  }

  it('with frames of plans before it, which it has never begun to read', async () => {
    const { both, without } = plans();
    const table = new MemoryTable();
    await makePipelineStreams(streams, without);
    await takeEffect(act(1), numbered(without, 1));
    await registerPlan(act(2), numbered(both, 2));
    await pour(numbered(without, 1), table, 100);
    equal(await isLateDrained(numbered(both, 2)), true);
    await takeEffect(act(2), numbered(both, 2));
    await pour(numbered(both, 2), table, 101);
    equal(await isLateDrained(numbered(both, 2)), false);
  });

  it('with frames of plans after it, when it had read all that were for it', async () => {
    const { both, without } = plans();
    const table = new MemoryTable();
    await makePipelineStreams(streams, both);
    await takeEffect(act(1), numbered(both, 1));
    const reader = drain(streams, numbered(both, 1), new MemoryTable(), { stage: late });
    await pour(numbered(both, 1), table, 100);
    await eventually(() => isLateDrained(numbered(both, 1)));
    await reader.stop();
    await takeEffect(act(2), numbered(without, 2));
    await pour(numbered(without, 2), table, 200);
    equal(await isLateDrained(numbered(without, 2)), true);
  });

  it('with frames before and after a plan that had it and under which nothing was written, once it is passed over', async () => {
    const { both, without } = plans();
    const table = new MemoryTable();
    await makePipelineStreams(streams, without);
    await takeEffect(act(1), numbered(without, 1));
    await registerPlan(act(2), numbered(both, 2));
    await pour(numbered(without, 1), table, 100);
    await takeEffect(act(2), numbered(both, 2));
    const third = numbered(without, 3);
    await takeEffect(act(3), third);
    await pour(third, table, 200);
    // By the first and the last frame alone nobody can tell.
    equal(await isLateDrained(third), false);
    await eventually(async () => {
      await passOverAll(streams, third);
      return isLateDrained(third);
    });
  });

  it('but it is with a frame for it between such', async () => {
    const { both, without } = plans();
    const table = new MemoryTable();
    await makePipelineStreams(streams, without);
    await takeEffect(act(1), numbered(without, 1));
    await registerPlan(act(2), numbered(both, 2));
    await pour(numbered(without, 1), table, 100);
    await takeEffect(act(2), numbered(both, 2));
    await pour(numbered(both, 2), table, 101);
    const third = numbered(without, 3);
    await takeEffect(act(3), third);
    await pour(third, table, 200);
    for (let look = 0; look < 20; look++) await passOverAll(streams, third);
    equal(await isLateDrained(third), false);
  });
});

function numbered(plan: Plan, generation: number): Plan {
  return { ...plan, pipeline: { ...plan.pipeline, generation } };
}
