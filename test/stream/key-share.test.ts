import assert from 'node:assert/strict';
import fc from 'fast-check';
import { edgeStream, onceSubject } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { EdgeWriter } from '../../stream/edge-writer.ts';
import { bytesPerKey, KeyShare } from '../../stream/key-share.ts';
import type { Position } from '../../stream/record-batch.ts';
import { edgeRoom } from '../../stream/slot-rooms.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { batchOf, listReader } from './support/batches.ts';
import { MemoryTable } from './support/fakes.ts';
import { frameOf } from './support/frames.ts';
import { testPlan, withTestServer } from './support/server.ts';
import { drain, eagerClock, edgeFrames, ingest } from './support/stages.ts';

describe('key share', function () {
  let streams: Streams;
  const never = new AbortController().signal;

  withTestServer((connected) => {
    streams = connected;
  });

  it('Q1: however many slots bring keys at once, an edge keeps one a KiB of what it may hold, and a few more', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ most: fc.integer({ min: 1, max: 40 }), writers: fc.integer({ min: 1, max: 4 }) }),
        async ({ most, writers }) => {
          const plan = await pipeline(most, writers);
          const all = await Promise.all(Array.from({ length: writers }, (_, slot) => open(plan, slot)));
          await Promise.all(
            all.map(async (writer, slot) => {
              for (let n = 0; n <= most + 2; n++) await writer.append(frame(), never, once(`${slot}-${n}`));
            }),
          );
          const kept = await keysOf(plan);
          assert(kept >= most && kept <= most + 2 * writers, `${kept} of ${most} by ${writers}`);
        },
      ),
      { numRuns: 8 },
    );
  });

  it('Q1: a key that is known is answered although there is no room for another, and what has no key is stored', async () => {
    const plan = await pipeline(3, 1);
    const writer = await open(plan, 0);
    const outcomes = [];
    for (const key of ['a', 'b', 'c', 'd', 'e'])
      outcomes.push((await writer.append(frame(), never, once(key))).outcome);
    assert.deepEqual(outcomes.slice(0, 3), ['stored', 'stored', 'stored']);
    assert.deepEqual(await writer.append(frame(), never, once('e')), { outcome: 'keysFull', most: 3 });
    assert.deepEqual(await writer.append(frame(), never, once('a')), { outcome: 'duplicate', note: 'note of a' });
    assert.equal((await writer.append(frame(), never)).outcome, 'stored');
  });

  it('Q1: when a key is over there is room for another', async () => {
    const plan = await pipeline(2, 1);
    const writer = await open(plan, 0);
    for (const key of ['a', 'b', 'c']) await writer.append(frame(), never, once(key));
    assert.equal((await writer.append(frame(), never, once('d'))).outcome, 'keysFull');
    await streams.purgeStream(stream(plan), { filter: onceSubject(plan.pipeline.pid, 'main', 'a') });
    assert.equal((await writer.append(frame(), never, once('d'))).outcome, 'stored');
  });

  it('Q3: slots that asked while there was much room, and come back when others have used it, bring one key more each', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ most: fc.integer({ min: 8, max: 60 }), writers: fc.integer({ min: 2, max: 4 }) }),
        fc.array(fc.record({ slot: fc.nat(3), share: fc.double({ min: 0, max: 1, noNaN: true }) }), { maxLength: 5 }),
        async ({ most, writers }, turns) => {
          const plan = await pipeline(most, writers);
          const all = await Promise.all(Array.from({ length: writers }, (_, slot) => open(plan, slot)));
          let sent = 0;
          const bring = async (slot: number, count: number) => {
            for (let n = 0; n < count; n++) await all[slot % writers]?.append(frame(), never, once(`key-${sent++}`));
          };
          // Each asks while there is room for all.
          for (const slot of all.keys()) await bring(slot, 1);
          for (const { slot, share } of turns) await bring(slot, Math.ceil(share * most));
          for (const slot of [...all.keys()].reverse()) await bring(slot, most);
          const kept = await keysOf(plan);
          assert(kept >= most && kept <= most + writers, `${kept} of ${most} by ${writers}`);
        },
      ),
      { numRuns: 6 },
    );
  });

  it('Q2: while there is much room the server is asked once for many keys', async () => {
    const plan = await pipeline(10_000, 2);
    let asked = 0;
    const counting = { ...streams, streamInfo: (name: string) => (asked++, streams.streamInfo(name)) };
    const keys = new KeyShare({ ...waiting, streams: counting }, plan, 'main');
    for (let n = 0; n < 2_500; n++) assert.deepEqual(await keys.take(never), { hasRoom: true });
    assert.equal(asked, 1);
    await keys.take(never);
    assert.equal(asked, 2);
  });

  it('M3: keys and last frames fill an edge, and whatever comes without a key is stored at once', async () => {
    const plan = await pipeline(8, 1);
    using room = edgeRoom({ streams, plan, clock: eagerClock }, 'main', () => Promise.resolve());
    const writer = await open(plan, 0, room);
    for (let n = 0; n < 8; n++) await writer.append(frame(), never, once(`key-${n}`));
    await streams.purgeStream(stream(plan), { filter: writer.subject, seq: writer.sequence });
    const large = frameOf(['x'.repeat(20_000)], 1);
    assert.equal((await writer.append(large, never, { mayGiveUp: () => true })).outcome, 'stored');
  });

  it('E11: the source is told of a request that is not stored for its key, and goes on behind it', async () => {
    const plan = await pipeline(1, 1);
    const seen: string[] = [];
    const batch = (position: number, key?: string) =>
      batchOf([{ value: `{"n":${position}}` }], {
        position,
        ...(key === undefined ? {} : { once: { key, note: `at ${position}`, forSeconds: 60 } }),
      });
    const sink = drain(streams, plan, new MemoryTable());
    const slot = ingest(streams, plan, () => ({
      ...listReader([batch(1, 'a'), batch(2, 'b'), batch(3, 'c'), batch(4)]),
      acknowledge: (to: Position) => seen.push(`ack ${JSON.stringify(to)}`),
      keysFull: (to: Position, most: number) => seen.push(`full ${JSON.stringify(to)} of ${most}`),
    }));
    await eventually(() => seen.includes('ack 4'));
    assert.deepEqual(seen.filter((one) => one.startsWith('full')).at(-1), 'full 3 of 1');
    assert(seen.indexOf('full 3 of 1') < seen.indexOf('ack 3'));
    assert(slot.witness.keysRefused > 0);
    const stored = (await edgeFrames(streams, plan)).map(({ frame: { position } }) => position);
    assert.equal(stored.includes(3), false);
    await Promise.all([slot.stop(), sink.stop()]);
  });

  const waiting = { clock: eagerClock, random: () => 0.5, onWaiting: () => undefined };
  const stream = (plan: Plan) => edgeStream(plan.pipeline.pid, 'main');
  const frame = () => frameOf(['x'], 1);
  const once = (key: string) => ({ once: { key, note: `note of ${key}`, forSeconds: 60 } });

  async function pipeline(most: number, writers: number): Promise<Plan> {
    const plan = testPlan({ edgeBytes: most * bytesPerKey, sourceSlots: writers, shards: 1 });
    await ensurePipelineStreams(streams, plan);
    return plan;
  }

  async function open(plan: Plan, slot: number, given?: ReturnType<typeof edgeRoom>): Promise<EdgeWriter> {
    const { pid } = plan.pipeline;
    const keys = new KeyShare({ ...waiting, streams }, plan, 'main');
    const room = given ?? edgeRoom({ streams, plan, clock: eagerClock }, 'main', () => sweep(plan));
    const of = { ...waiting, streams, pid, edge: 'main', shard: 0, writer: `orders-${slot}`, keys, room };
    return await EdgeWriter.open(of, never);
  }

  /** What readers and sweepers would do: only last frames and keys stay. */
  async function sweep(plan: Plan): Promise<void> {
    const { pid } = plan.pipeline;
    for (const last of await streams.lastOfEach(stream(plan), `mr.${pid}.main.>`))
      await streams.purgeStream(stream(plan), { filter: last.subject, seq: last.seq });
  }

  async function keysOf(plan: Plan): Promise<number> {
    return (await streams.lastOfEach(stream(plan), onceSubject(plan.pipeline.pid, 'main', '*'))).length;
  }
});
