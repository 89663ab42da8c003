/** Readers that are registered and have not begun, in an edge that is full; on a real nats-server. */
import { deepEqual, equal, partialDeepStrictEqual } from 'node:assert/strict';
import { commitSubject, edgeStream } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import { nameFor, tailOf } from '../../stream/announce.ts';
import type { Streams } from '../../stream/connection.ts';
import { commitOf } from '../../stream/drained.ts';
import { registerPlan } from '../../stream/members.ts';
import { registerWriters } from '../../stream/register-writers.ts';
import { passOver } from '../../stream/pass-over.ts';
import { announcePlan } from '../../stream/plan-store.ts';
import { beginLeaving, finishLeaving, unfinished } from '../../stream/retire.ts';
import { makePipelineStreams } from '../../stream/streams.ts';
import { writersOfSource } from '../../stream/writer-place.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { takeEffect } from './support/leaving.ts';
import { pour } from './support/pour.ts';
import { drain, eagerClock, edgeFrames, ingest } from './support/stages.ts';
import { testPlan, withTestServer } from './support/server.ts';

const late = 'sink-late';

describe('a reader that has not begun', function () {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  const act = (opSeq: number) => ({ streams, opSeq, clock: eagerClock });

  /** Generation 1 is in force and at work; generation 2, with one more sink, is registered. No pod of that sink runs. */
  async function withLateRegistered(edgeBytes = 4_000) {
    const frame = { maxRecords: 10, maxBytes: 4_096, lingerMs: 1 };
    const second = numbered(testPlan({ shards: 1, sourceSlots: 1, sinks: ['warehouse', 'late'], edgeBytes, frame }), 2);
    const first = numbered({ ...second, stages: second.stages.filter(({ name }) => name !== late) }, 1);
    await makePipelineStreams(streams, first);
    await registerPlan(act(1), first);
    await registerPlan(act(2), second);
    return { first, second, pid: second.pipeline.pid };
  }

  const numbersIn = ({ rows }: MemoryTable) => rows.map(({ value }) => value['n']);

  it('U1: keeps no writer waiting for room while nothing is for it', async () => {
    const { first } = await withLateRegistered();
    await pour(streams, first, new MemoryTable(), 1_000);
  });

  it('U1: keeps no source from leaving', async () => {
    const { first, second } = await withLateRegistered(10_000_000);
    await pour(streams, first, new MemoryTable(), 100);
    const sink = drain(streams, first, new MemoryTable());
    const third = numbered({ ...second, stages: second.stages.filter(({ kind }) => kind !== 'ingestor') }, 3);
    await registerPlan(act(3), third);
    await announcePlan(streams, third);
    await beginLeaving(act(3), third);
    try {
      await eventually(async () => (await unfinished(streams, third)).length === 0);
    } finally {
      await sink.stop();
    }
    await finishLeaving(act(3), third);
    deepEqual(await edgeFrames(streams, third), []);
  });

  it('U1: takes every record that is for it when it begins, and none that is not', async () => {
    const { first, second, pid } = await withLateRegistered();
    const table = new MemoryTable();
    await pour(streams, first, table, 500);
    await registerWriters(act(2), second);
    await announcePlan(streams, second);
    await pour(streams, second, table, 540);
    await passOver(streams, pid, second.edges[0]!);
    const lateTable = new MemoryTable();
    const sink = drain(streams, second, lateTable, { stage: late });
    await eventually(() => numbersIn(lateTable).at(-1) === 539);
    await sink.stop();
    deepEqual(
      numbersIn(lateTable),
      Array.from({ length: 40 }, (_, n) => 500 + n),
    );
  });

  it('U1: does not keep the plan that removes it from coming into force, and is taken off', async () => {
    const { first, pid } = await withLateRegistered();
    const third = numbered(first, 3);
    const sink = drain(streams, first, new MemoryTable(), { stage: 'sink-warehouse' });
    const writer = ingest(streams, first, (position) => new NumberSource(position, { available: () => 1_000 }));
    await eventually(async () => ((await commitOf(streams, pid, 'sink-warehouse', 0))?.to ?? 0) > 20);
    await writer.stop();
    await takeEffect(act(3), third);
    await beginLeaving(act(3), third);
    await eventually(async () => (await unfinished(streams, third)).length === 0);
    await finishLeaving(act(3), third);
    await sink.stop();
    equal(await commitOf(streams, pid, late, 0), undefined);
  });

  it('U3: is not stopped by any number of frames without records', async () => {
    const { first, pid } = await withLateRegistered(1_000_000);
    const edge = first.edges[0]!;
    const [place] = writersOfSource(first, edge, 'orders', 1);
    for (let count = 0; count < 150; count++) {
      const tail = await tailOf(streams, place!);
      equal(await nameFor(act(3), tail, first), true);
    }
    const { last_seq: end } = (await streams.streamInfo(edgeStream(pid, 'main'))).state;
    for (let look = 0; look < 3; look++) await passOver(streams, pid, edge);
    const { to } = (await commitOf(streams, pid, late, 0)) as { to: number };
    equal(to > end - 64, true);
  });

  it('U2: that has committed anything itself is never moved', async () => {
    const { first, pid } = await withLateRegistered();
    const { chain } = (await commitOf(streams, pid, late, 0)) ?? {};
    const own = JSON.stringify({ kind: 'commit', to: 1, chain });
    await streams.publish(commitSubject(pid, late, 0), own);
    const writer = ingest(streams, first, (position) => new NumberSource(position, { available: () => 50 }));
    await eventually(async () => (await edgeFrames(streams, first)).length > 3);
    await writer.stop();
    await passOver(streams, pid, first.edges[0]!);
    partialDeepStrictEqual(await commitOf(streams, pid, late, 0), { kind: 'commit', to: 1 });
  });

  it('U2: that commits at the same moment stays where it says', async () => {
    const { first, pid } = await withLateRegistered();
    const writer = ingest(streams, first, (position) => new NumberSource(position, { available: () => 50 }));
    await eventually(async () => (await edgeFrames(streams, first)).length > 3);
    await writer.stop();
    const { chain } = (await commitOf(streams, pid, late, 0)) ?? {};
    const own = JSON.stringify({ kind: 'commit', to: 1, chain });
    const inBetween = Object.create(streams, {
      directGet: {
        value: async (...query: Parameters<Streams['directGet']>) => {
          await streams.publish(commitSubject(pid, late, 0), own);
          return streams.directGet(...query);
        },
      },
    }) as Streams;
    await passOver(inBetween, pid, first.edges[0]!);
    partialDeepStrictEqual(await commitOf(streams, pid, late, 0), { kind: 'commit', to: 1 });
  });
});

function numbered(plan: Plan, generation: number): Plan {
  return { ...plan, pipeline: { ...plan.pipeline, generation } };
}
