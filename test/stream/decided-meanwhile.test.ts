/** What happens between a question about the edge, its decision and the slot that acts upon it (I6, D1). */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { parseDecision } from '../../model/decision.ts';
import { edgeStream, frameSubject } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import { carryOut, streamsFound } from '../../stream/carry-out.ts';
import type { Streams } from '../../stream/connection.ts';
import { isDrained } from '../../stream/drained.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { storeOf, withDisk } from './support/disk.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { testPlan } from './support/server.ts';
import { drain, eagerClock, ingest, type RunningSlot } from './support/stages.ts';

const frame = { maxRecords: 1, maxBytes: 1_000, lingerMs: 1 };
const batch = { maxRecords: 1_000, maxBytes: 1_000_000, maxDelayMs: 100 };

describe('an edge that changes while a person is asked about it', () => {
  let streams: Streams;
  let plan: Plan;
  let main: string;
  let table: MemoryTable;
  let known: Awaited<ReturnType<typeof streamsFound>>;

  const disk = withDisk((connected) => {
    streams = connected;
  });
  beforeEach(async () => {
    plan = testPlan({ shards: 1, sourceSlots: 2, frame, batch });
    main = edgeStream(plan.pipeline.pid, 'main');
    table = new MemoryTable();
    await ensurePipelineStreams(streams, plan);
    known = await streamsFound(streams, plan);
  });

  const numbers = () => table.rows.map(({ value }) => z.number().parse(value['n']));
  const ofOther = () => numbers().filter((n) => n >= 1_000);
  const end = async () => (await streams.streamInfo(main)).state.last_seq;
  /** Records 0, 1, … of slot 0; 1000, 1001, … of slot 1. */
  const start = (total: number, slot = 0, from = 1_000 * slot) =>
    ingest(
      streams,
      plan,
      (position) =>
        new NumberSource(position, {
          batch: 1,
          available: () => total,
          record: (n) => ({ value: JSON.stringify({ n: n + from }), offset: BigInt(n) }),
        }),
      slot,
    );
  const write = async (total: number, until: number, slot = 0, from?: number) => {
    const writer = start(total, slot, from);
    await eventually(async () => (await end()) >= until);
    await writer.stop();
    return writer;
  };
  /** As many records are in the edge and in the sink; the first frames of two writers are 1 and 2. */
  const fill = async (total: number, positionIn: 'commitLog' | 'sink') => {
    const slots = [start(total), drain(streams, plan, table, { positionIn })];
    await eventually(async () => numbers().length === total && (await isDrained(streams, plan)).drained);
    await Promise.all(slots.map((slot) => slot.stop()));
  };
  const questions = (slot: RunningSlot) => slot.witness.waits.filter(([, code]) => code === 'MR_POSITION_LOST').length;
  const asked = (slot: RunningSlot, times = 1) => eventually(() => questions(slot) >= times);
  const decide = async (text: string) => {
    const decision = parseDecision(text);
    assert.ok(decision);
    await carryOut({ streams, opSeq: 1, clock: eagerClock, replicas: 1, cluster: 'test', known }, plan, decision);
  };

  for (const positionIn of ['commitLog', 'sink'] as const)
    for (const asks of ['before', 'after'] as const)
      it(`a writer that lost nothing goes on; the sink (position in ${positionIn}) asks ${asks} that, and reads it`, async () => {
        await fill(5, positionIn);
        await disk.save('five', storeOf(main));
        await fill(10, positionIn);
        await disk.restore('five', storeOf(main));
        const other = asks === 'after' ? await write(5, 12, 1) : undefined;
        const sink = drain(streams, plan, table, { positionIn });
        await asked(sink);
        assert.match(sink.witness.waitSentences.join(), /`.* main\.1 accept-loss` continues after 7, /);
        assert.equal(questions(other ?? (await write(5, 12, 1))), 0);
        await decide('main.1=accept-loss');
        await eventually(async () => ofOther().length === 5 && (await isDrained(streams, plan)).drained);
        assert.deepEqual(numbers(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1000, 1001, 1002, 1003, 1004]);
        assert.equal(questions(sink), 1);
        await sink.stop();
      });

  it('a decision about a frame in the middle gives up nothing of an edge that went back before it', async () => {
    await fill(5, 'commitLog');
    await disk.save('five', storeOf(main));
    await fill(10, 'commitLog');
    await write(15, 17);
    await streams.jsm.streams.deleteMessage(main, 13);
    const sink = drain(streams, plan, table);
    await asked(sink);
    assert.match(sink.witness.waitSentences.join(), /frame 14 of orders-0, .* follows frame 13/);
    await disk.restore('five', storeOf(main));
    await write(7, 14, 1);
    await decide('main.1=accept-loss');
    await eventually(() => ofOther().length === 7);
    await sink.stop();
  });

  it('D6: frames that went after the decision were not decided about, also when the slot begins again over it', async () => {
    await fill(5, 'commitLog');
    await disk.save('five', storeOf(main));
    await fill(10, 'commitLog');
    await disk.restore('five', storeOf(main));
    const before = drain(streams, plan, table);
    await asked(before);
    await before.stop();
    const writer = start(12, 0, 2_000);
    await asked(writer);
    await decide('main.1=accept-loss');
    await eventually(async () => (await end()) >= 14);
    await writer.stop();
    const filter = frameSubject(plan.pipeline.pid, 'main', 0, 'orders-0');
    await streams.purgeStream(main, { filter, seq: 11 });
    const sink = drain(streams, plan, table);
    await asked(sink);
    assert.match(sink.witness.waitSentences.join(), /frame 11 of orders-0, of which none was seen, follows frame 10/);
    await sink.stop();
  });
});
