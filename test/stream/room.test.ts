import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MillraceError } from '../../model/errors.ts';
import { edgeStream } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Clock } from '../../model/clock.ts';
import type { Streams } from '../../stream/connection.ts';
import { EdgeWriter } from '../../stream/edge-writer.ts';
import { firstBytes } from '../../stream/room.ts';
import { edgeRoom } from '../../stream/slot-rooms.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { frameOf } from './support/frames.ts';
import { startTestServer, testPlan, withTestServer } from './support/server.ts';
import { drain, eagerClock, ingest } from './support/stages.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';

describe('room', function () {
  let streams: Streams;
  const never = new AbortController().signal;

  withTestServer((connected) => {
    streams = connected;
  });

  it('M1: a pipeline reserves little at the beginning, and its edge grows with use up to what the spec allows', async () => {
    const plan = await pipeline({ edgeBytes: 40 * 2 ** 20 });
    assert.equal(await limitOf(plan), firstBytes.edge);
    const { writer } = await open(plan);
    for (let n = 0; n < 12; n++) await writer.append(frame(3 * 2 ** 20), never);
    assert.equal(await limitOf(plan), 40 * 2 ** 20);
    const full = await writer.append(frame(5 * 2 ** 20), never, { mayGiveUp: () => true });
    assert.equal(full.outcome === 'full' && full.reason.code, 'MR_EDGE_FULL');
  });

  it('M1: provisioning again leaves an edge as large as it has become, within what the spec allows', async () => {
    const plan = await pipeline({ edgeBytes: 64 * 2 ** 20 });
    const { writer } = await open(plan);
    for (let n = 0; n < 8; n++) await writer.append(frame(3 * 2 ** 20), never);
    assert.equal(await limitOf(plan), 32 * 2 ** 20);
    await ensurePipelineStreams(streams, plan);
    assert.equal(await limitOf(plan), 32 * 2 ** 20);
    await ensurePipelineStreams(streams, { ...plan, edges: [{ name: 'main', shards: 2, maxBytes: 20 * 2 ** 20 }] });
    assert.equal(await limitOf(plan), 20 * 2 ** 20);
  });

  it('M1: what keeps an edge from growing is named, and so is what keeps a pipeline from being provisioned', async () => {
    const small = await startTestServer({ maxFileBytes: 24 * 2 ** 20 });
    const over = await small.connect();
    const plan = testPlan();
    await ensurePipelineStreams(over, plan);
    const { writer } = await open(plan, over);
    for (let n = 0; n < 5; n++) await writer.append(frame(3 * 2 ** 20), never);
    const full = await writer.append(frame(3 * 2 ** 20), never, { mayGiveUp: () => true });
    assert(full.outcome === 'full');
    assert.equal(full.reason.code, 'MR_STORE_FULL');
    assert.match(full.reason.sentence, /33554432 bytes.*insufficient storage resources available/);
    await assert.rejects(
      ensurePipelineStreams(over, testPlan()),
      (error) => error instanceof MillraceError && error.code === 'MR_STORE_FULL',
    );
    await small.stop();
  });

  it('M4: what is not used any more is given back by halves, and then nobody looks', async () => {
    const plan = await pipeline();
    const clock = new StepClock();
    const { writer, room } = await open(plan, streams, clock);
    for (let n = 0; n < 18; n++) await writer.append(frame(2 * 2 ** 20), never);
    assert.equal(await limitOf(plan), 64 * 2 ** 20);
    await streams.purgeStream(edgeStream(plan.pipeline.pid, 'main'), { filter: writer.subject, seq: writer.sequence });
    for (const want of [32, 16]) {
      clock.step();
      await eventually(async () => assert.equal(await limitOf(plan), want * 2 ** 20));
      await eventually(() => assert.equal(clock.waiting, 1));
    }
    // A look may be under way when a frame is stored: then there is one more, and no other after that.
    await eventually(async () => {
      clock.step();
      await writer.append(frame(10), never);
      assert.equal(clock.waiting, 0);
    });
    room[Symbol.dispose]();
  });

  it('M3: whatever the sizes of edge, frames and records, all arrives once the sink is back, over takeovers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          edgeBytes: fc.integer({ min: 2_000, max: 120_000 }),
          sourceSlots: fc.integer({ min: 1, max: 5 }),
          frameBytes: fc.integer({ min: 100, max: 40_000 }),
          sizes: fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 6 }),
        }),
        async ({ edgeBytes, sourceSlots, frameBytes, sizes }) => {
          const frameLimits = { maxRecords: 50, maxBytes: frameBytes, lingerMs: 1 };
          const plan = await pipeline({ edgeBytes, sourceSlots, frame: frameLimits, shards: 2 });
          const total = 40;
          const pad = (n: number, slot: number) => 'x'.repeat(sizes[(n + slot) % sizes.length]!);
          const start = () =>
            Array.from({ length: sourceSlots }, (_, slot) => write(plan, slot, total, (n) => pad(n, slot)));
          const first = start();
          // Without a sink: until every writer is done or waits.
          await eventually(() =>
            first.every(
              ({ witness }) => witness.last === total || witness.waits.some(([, code]) => code !== undefined),
            ),
          );
          await Promise.all(first.map((slot) => slot.stop()));
          const table = new MemoryTable();
          const sinks = [0, 1].map((slot) => drain(streams, plan, table, { slot }));
          const second = start();
          await eventually(() => table.rows.length >= total * sourceSlots);
          const seen = table.rows.map(({ value }) => JSON.stringify([value['slot'], value['n']]));
          assert.equal(new Set(seen).size, total * sourceSlots);
          assert.equal(seen.length, total * sourceSlots);
          await Promise.all([...sinks, ...second].map((slot) => slot.stop()));
        },
      ),
      { numRuns: 6 },
    );
  });

  it('W6: what everybody has read of a writer without a loop keeps no other writer waiting', async () => {
    const frameLimits = { maxRecords: 1, maxBytes: 8_000, lingerMs: 1 };
    const plan = await pipeline({ edgeBytes: 40_000, sourceSlots: 2, frame: frameLimits, shards: 1 });
    const table = new MemoryTable();
    const ended = write(plan, 0, 30, () => 'x'.repeat(1_000));
    await eventually(() => ended.witness.last === 30);
    await ended.stop();
    const sink = drain(streams, plan, table, { slot: 0 });
    await eventually(() => table.rows.length === 30);
    const other = write(plan, 1, 3, () => 'x'.repeat(7_500));
    await eventually(() => table.rows.length === 33);
    await Promise.all([sink.stop(), other.stop()]);
  });

  /** `total` records with their number, the slot, and as much more as `pad` says. */
  function write(plan: Plan, slot: number, total: number, pad: (n: number) => string) {
    const record = (n: number) => ({ value: JSON.stringify({ n, slot, pad: pad(n) }), offset: BigInt(n) });
    return ingest(streams, plan, (position) => new NumberSource(position, { available: () => total, record }), slot);
  }

  async function pipeline(options: Parameters<typeof testPlan>[0] = {}): Promise<Plan> {
    const plan = testPlan(options);
    await ensurePipelineStreams(streams, plan);
    return plan;
  }

  async function open(plan: Plan, over = streams, clock: Clock = eagerClock) {
    const room = edgeRoom({ streams: over, plan, clock }, 'main', () => Promise.resolve());
    const { pid } = plan.pipeline;
    const options = { streams: over, pid, edge: 'main', shard: 0, writer: 'orders-0', clock: eagerClock, room };
    const writer = await EdgeWriter.open({ ...options, random: () => 0.5 }, never);
    return { writer, room };
  }

  async function limitOf(plan: Plan): Promise<number> {
    return (await streams.streamInfo(edgeStream(plan.pipeline.pid, 'main'))).config.max_bytes;
  }

  const frame = (bytes: number) => frameOf(['x'.repeat(bytes)], 1);
});

/** Time stands still until it is told to go on. */
class StepClock implements Clock {
  #acts = new Set<() => void>();
  now = eagerClock.now;
  monotonic = eagerClock.monotonic;
  sleep = eagerClock.sleep;
  turn = eagerClock.turn;

  get waiting(): number {
    return this.#acts.size;
  }

  after(_ms: number, act: () => void): () => void {
    this.#acts.add(act);
    return () => void this.#acts.delete(act);
  }

  step(): void {
    const acts = [...this.#acts];
    this.#acts.clear();
    for (const act of acts) act();
  }
}
