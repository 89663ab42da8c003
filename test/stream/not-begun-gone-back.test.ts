/**
 * U4 of stream/pass-over.ts, on a real nats-server: a sink is added, the edge goes back below the place where it begins and
 * grows again with frames for it, and the sink is removed before its pods have read anything.
 */
import assert from 'node:assert/strict';
import { parseDecision } from '../../model/decision.ts';
import { edgeStream } from '../../model/names.ts';
import { edgeOf, type Plan } from '../../model/plan.ts';
import { carryOut, streamsFound } from '../../stream/carry-out.ts';
import type { Streams } from '../../stream/connection.ts';
import { commitOf } from '../../stream/drained.ts';
import { registerPlan } from '../../stream/members.ts';
import { passOver } from '../../stream/pass-over.ts';
import { announcePlan } from '../../stream/plan-store.ts';
import { registerWriters } from '../../stream/register-writers.ts';
import { beginLeaving, finishLeaving, unfinished } from '../../stream/retire.ts';
import { makePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { storeOf, withDisk } from './support/disk.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { takeEffect } from './support/leaving.ts';
import { testPlan } from './support/server.ts';
import { drain, eagerClock, edgeFrames, ingest } from './support/stages.ts';

const numbered = (plan: Plan, generation: number): Plan => ({ ...plan, pipeline: { ...plan.pipeline, generation } });
const late = 'sink-late';

describe('an edge that goes back below the place of a reader that has not begun', () => {
  let streams: Streams;
  const frame = { maxRecords: 1, maxBytes: 1_000, lingerMs: 1 };
  const second = numbered(testPlan({ shards: 1, sourceSlots: 1, sinks: ['warehouse', 'late'], frame }), 2);
  const first = numbered({ ...second, stages: second.stages.filter(({ name }) => name !== late) }, 1);
  const third = numbered(first, 3);
  const { pid } = first.pipeline;

  const store = storeOf(edgeStream(pid, 'main'));
  const disk = withDisk((connected) => {
    streams = connected;
  });

  const act = (opSeq: number) => ({ streams, opSeq, clock: eagerClock });
  /** Until the source's records up to this number are in the edge. Nobody is asked. */
  const pour = async (plan: Plan, total: number) => {
    const slot = ingest(streams, plan, (position) => new NumberSource(position, { batch: 1, available: () => total }));
    await eventually(async () => (await edgeFrames(streams, plan)).at(-1)?.frame.position === total);
    await slot.stop();
    assert.deepEqual(
      slot.witness.waits.filter(([, code]) => code === 'MR_POSITION_LOST'),
      [],
    );
  };

  /** The reader is registered at 11; frames 8 to 10 are for it, and what comes after them is not. */
  async function goneBackAndRemoved(): Promise<void> {
    await makePipelineStreams(streams, first);
    await registerPlan(act(1), first);
    await announcePlan(streams, first);
    await pour(first, 5);
    await disk.save('five', store);
    await pour(first, 10);
    await registerPlan(act(2), second);
    await disk.restore('five', store);
    await registerWriters(act(2), second);
    await announcePlan(streams, second);
    await pour(second, 8);
    await takeEffect(act(3), third);
    await pour(third, 20);
    await beginLeaving(act(3), third);
  }

  it('U4: it is not passed over frames that are for it: it asks, and reads them', async () => {
    await goneBackAndRemoved();
    await passOver(streams, pid, edgeOf(third, 'main'));
    assert.equal((await unfinished(streams, third)).length, 1);
    const table = new MemoryTable();
    const slot = drain(streams, second, table, { stage: late });
    await eventually(() => slot.witness.waits.some(([, code]) => code === 'MR_POSITION_LOST'));
    const decision = parseDecision('main.1=reread');
    assert.ok(decision);
    const known = await streamsFound(streams, third);
    await carryOut({ ...act(9), replicas: 1, cluster: 'test', known }, third, decision);
    await eventually(async () => (await unfinished(streams, third)).length === 0);
    await slot.stop();
    assert.deepEqual(
      table.rows.map(({ value }) => value['n']),
      [5, 6, 7],
    );
    await finishLeaving(act(3), third);
    assert.equal(await commitOf(streams, pid, late, 0), undefined);
  });
});
