import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { mr } from '../../model/errors.ts';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { readDeadLetters } from '../../stream/dead-letters.ts';
import type { Position } from '../../stream/record-batch.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { CommitLog } from '../../stream/commit-log.ts';
import { HttpReader } from '../../connectors/http/reader.ts';
import type { Outcome } from '../../connectors/http/request-batch.ts';
import { eventually } from '../support/eventually.ts';
import { batchOf, listReader } from './support/batches.ts';
import { NumberSource } from './support/fakes.ts';
import { eagerClock, edgeFrames, ingest } from './support/stages.ts';
import { testPlan, withTestServer, type TestServer } from './support/server.ts';

describe('ingest loop', () => {
  let server: TestServer;
  let streams: Streams;

  withTestServer((connected, started) => {
    streams = connected;
    server = started;
  });

  it('I1, G1: what is acknowledged is stored, in order, and the source ends when all is', async () => {
    const plan = await pipeline();
    let source: NumberSource | undefined;
    const slot = ingest(streams, plan, (position) => (source = bounded(position, 5_000)));
    assert.equal(await slot.done, 'ended');
    assert.deepEqual(await stored(plan), numbers(5_000));
    assert.equal(source?.acknowledged.at(-1), 5_000);
    assert.deepEqual([slot.witness.taken, slot.witness.handed, slot.witness.last], [5_000, 5_000, 5_000]);
  });

  it('I2, G2: abandoned at any moment and taken over, it loses and repeats nothing', async () => {
    const plan = await pipeline();
    let seed = 7;
    for (let takeover = 0; takeover < 25; takeover++) {
      const slot = ingest(
        streams,
        plan,
        (position) => new NumberSource(position, { available: () => 1_000_000, batch: 13 }),
      );
      seed = (seed * 48_271) % 2_147_483_647;
      const enough = slot.witness.handed + (seed % 300);
      // The one before may have stored one more frame after this one read the tail: then this one is fenced.
      let fenced = false;
      void slot.done.then((end) => (fenced = end === 'fenced'));
      await eventually(() => fenced || slot.witness.handed > enough, { intervalMs: 1 });
      if (takeover % 2 === 0) slot.abort();
      else await slot.stop();
      // The abandoned one is not waited for: it may still be writing when the next owner opens the tail (E4).
    }
    const total = (await stored(plan)).length + 1_000;
    await ingest(streams, plan, (position) => bounded(position, total)).done;
    assert.deepEqual(await stored(plan), numbers(total));
  });

  it('I11: of two owners at once the stale one is refused, and the chain has each record once', async () => {
    const plan = await pipeline();
    let available = 500;
    const read = (position: Position | undefined) => new NumberSource(position, { available: () => available });
    const zombie = ingest(streams, plan, read);
    await eventually(() => zombie.witness.handed === 500);
    const owner = ingest(streams, plan, read);
    await eventually(() => owner.witness.last === 500);
    available = 1_000;
    const ends = await Promise.race([zombie.done, owner.done]);
    assert.equal(ends, 'fenced');
    await eventually(async () => (await stored(plan)).length === 1_000);
    assert.deepEqual(await stored(plan), numbers(1_000));
    await Promise.all([zombie.stop(), owner.stop()]);
  });

  it('I1: kill -9 of nats-server under load loses and repeats nothing', async () => {
    const plan = await pipeline();
    let available = 0;
    const slot = ingest(streams, plan, (position) => new NumberSource(position, { available: () => available }));
    for (let crash = 1; crash <= 3; crash++) {
      available = crash * 3_000;
      await eventually(() => slot.witness.handed > (crash - 1) * 3_000 + 100, { intervalMs: 1 });
      await server.crash();
      await server.start();
    }
    await eventually(() => slot.witness.handed === 9_000);
    assert.deepEqual(await stored(plan), numbers(9_000));
    assert(slot.witness.waits.some(([, code]) => code !== undefined));
    assert.equal(slot.witness.waits.at(-1)?.[1], undefined);
    await slot.stop();
  });

  it('E7: a full edge blocks the source with a reason, and a commit of the reader lets it go on', async () => {
    const plan = await pipeline({ edgeBytes: 300_000 });
    const pad = 'x'.repeat(1_000);
    let source: NumberSource | undefined;
    const slot = ingest(streams, plan, (position) => {
      source = new NumberSource(position, {
        available: () => 1_000,
        record: (n) => ({ value: JSON.stringify({ n, pad }) }),
      });
      source.isBounded = true;
      return source;
    });
    await eventually(() => source?.blocked.at(-1) === true);
    assert(slot.witness.waits.some(([on, code]) => on === 'edge' && code === 'MR_EDGE_FULL'));
    const log = await CommitLog.open(
      { streams, pid: plan.pipeline.pid, stage: 'sink-warehouse', slot: 0, clock: eagerClock, random: () => 0.5 },
      new AbortController().signal,
    );
    const read: string[] = [];
    while (read.length < 1_000) {
      const frames = await edgeFrames(streams, plan);
      for (const frame of frames) {
        if (frame.sequence <= log.committed) continue;
        read.push(...frame.values);
        await log.append({ kind: 'commit', to: frame.sequence }, new AbortController().signal);
      }
    }
    assert.equal(await slot.done, 'ended');
    assert.deepEqual(
      read.map((text) => (JSON.parse(text) as { n: number }).n),
      numbers(1_000),
    );
    assert.equal(source?.blocked.at(-1), false);
  });

  it('E7: stops at once while the edge is full, and the next owner brings what was left', async () => {
    const plan = await pipeline({ edgeBytes: 100_000 });
    const pad = 'x'.repeat(1_000);
    const read = (position: Position | undefined) =>
      new NumberSource(position, { available: () => 200, record: (n) => ({ value: JSON.stringify({ n, pad }) }) });
    const slot = ingest(streams, plan, read);
    await eventually(() => slot.witness.waits.some(([on]) => on === 'edge'));
    await slot.stop().catch(() => 'stopped');
    await ensurePipelineStreams(streams, { ...plan, edges: [{ name: 'main', shards: 2, maxBytes: 10 * 2 ** 20 }] });
    const next = ingest(streams, plan, read);
    await eventually(() => next.witness.last === 200);
    assert.deepEqual(await stored(plan), numbers(200));
    await next.stop();
  });

  it('H7, G8: while the edge is full requests are refused whole and at once, and nothing of them is stored later', async () => {
    const plan = await pipeline({ edgeBytes: 200_000 });
    const reader = new HttpReader('p/orders/0', undefined, () => undefined);
    const slot = ingest(streams, plan, () => reader);
    const outcomes: string[] = [];
    let sent = 0;
    const send = (): Promise<void> =>
      new Promise((settle) => {
        const n = sent++;
        const tell = ({ outcome }: Outcome) => {
          outcomes[n] = outcome;
          settle();
        };
        // What the door does.
        if (reader.isBlocked) return tell({ outcome: 'full' });
        const body = Buffer.from(JSON.stringify({ n, pad: 'x'.repeat(9_000) }));
        const ranges = { start: Int32Array.of(0), end: Int32Array.of(body.length) };
        const key = n % 3 === 0 ? { token: `key-${n}`, body: '', forSeconds: 60 } : undefined;
        reader.push({ body, ranges, key, receivedAt: 0, settle: tell });
      });
    for (let turn = 0; turn < 20; turn++) await Promise.all(Array.from({ length: 5 }, send));
    assert.ok(outcomes.includes('full') && outcomes.includes('stored'), outcomes.join());
    assert.ok(slot.witness.waits.some(([on]) => on === 'edge'));
    await ensurePipelineStreams(streams, { ...plan, edges: [{ name: 'main', shards: 2, maxBytes: 10 * 2 ** 20 }] });
    await eventually(() => !reader.isBlocked);
    await send();
    assert.equal(outcomes.at(-1), 'stored');
    assert.deepEqual(
      await stored(plan),
      outcomes.flatMap((outcome, n) => (outcome === 'stored' ? [n] : [])),
    );
    await slot.stop();
  });

  it('H7, E11: room for a frame without its key is no room: the slot stays blocked and says so', async () => {
    const plan = await pipeline({ edgeBytes: 20_000 });
    const reader = new HttpReader('p/orders/0', undefined, () => undefined);
    const slot = ingest(streams, plan, () => reader);
    const send = (n: number): Promise<string> =>
      new Promise((settle) => {
        const body = Buffer.from(JSON.stringify({ n, pad: 'x'.repeat(1_500) }));
        const ranges = { start: Int32Array.of(0), end: Int32Array.of(body.length) };
        const key = { token: `key-${n}`, body: 'x'.repeat(43), forSeconds: 60 };
        reader.push({ body, ranges, key, receivedAt: 0, settle: ({ outcome }: Outcome) => settle(outcome) });
      });
    let sent = 0;
    let outcome = 'stored';
    while (outcome === 'stored') outcome = await send(sent++);
    assert.equal(outcome, 'full');
    await eventually(() => reader.isBlocked);
    const told = slot.witness.waits.length;
    // Longer than the longest pause between two looks.
    await setTimeout(1_200);
    assert.equal(reader.isBlocked, true);
    assert.deepEqual(slot.witness.waits.slice(told), []);
    await ensurePipelineStreams(streams, { ...plan, edges: [{ name: 'main', shards: 2, maxBytes: 10 * 2 ** 20 }] });
    await eventually(() => !reader.isBlocked);
    assert.equal(await send(sent), 'stored');
    await slot.stop();
  });

  it('a source that fails is asked again and shows why', async () => {
    const plan = await pipeline();
    let source: NumberSource | undefined;
    const slot = ingest(streams, plan, (position) => (source = new NumberSource(position, { available: () => 100 })));
    await eventually(() => slot.witness.handed === 100);
    source!.failWith = mr('MR_SOURCE_UNREACHABLE', { source: 'orders', server: 'kafka:9092', problem: 'refused' });
    await eventually(() => slot.witness.connections.at(-1) === 'MR_SOURCE_UNREACHABLE');
    source!.failWith = undefined;
    await eventually(() => slot.witness.connections.at(-1) === undefined);
    await slot.stop();
  });

  it('E5, G4: a position that moves without records is stored in a progress frame', async () => {
    const plan = await pipeline();
    const batches = [batchOf([{ value: '{"n":0}' }]), batchOf([], { position: 9 })];
    const slot: ReturnType<typeof ingest> = ingest(streams, plan, () =>
      listReader(batches, () => eventually(() => batches.length === 2 || slot.witness.last === 1)),
    );
    await eventually(() => slot.witness.last === 9);
    assert.deepEqual(
      (await edgeFrames(streams, plan)).map(({ frame }) => [frame.count, frame.position]),
      [
        [1, 1],
        [0, 9],
      ],
    );
    await slot.stop();
  });

  it('G5: records above the limit become dead letters, each once, however often the slot is taken over', async () => {
    const plan = await pipeline();
    const big = 'x'.repeat(8 * 2 ** 20);
    const record = (n: number) => ({ value: n === 3 || n === 4 ? big : JSON.stringify({ n }), offset: BigInt(n) });
    const counting = countPublishes(streams);
    for (let allowed = 1; allowed < 12; allowed++) {
      const slot = ingest(counting.streams(allowed), plan, (position) => bounded(position, 8, record, 8));
      await Promise.race([slot.done, counting.crashed()]);
      slot.abort();
    }
    assert.deepEqual(await stored(plan), [0, 1, 2, 5, 6, 7]);
    const { letters } = await readDeadLetters(streams, plan.pipeline.pid);
    assert.deepEqual(
      letters.map((letter) => [letter.offset, letter.code, letter.truncatedFrom]),
      [
        ['3', 'MR_RECORD_TOO_LARGE', big.length],
        ['4', 'MR_RECORD_TOO_LARGE', big.length],
      ],
    );
  });

  it('G5: another record above the limit under the same position is another dead letter, with its headers', async () => {
    const plan = await pipeline();
    const large = (letter: string) =>
      batchOf([{ value: letter.repeat(9 * 2 ** 20), headers: [['trace', letter]] }], { position: 1 });
    const counting = countPublishes(streams);
    // The dead letter is stored; the process dies before the edge knows.
    const first = ingest(counting.streams(1), plan, () => listReader([large('a')]));
    await counting.crashed();
    first.abort();
    const second = ingest(streams, plan, () => listReader([large('b')]));
    await eventually(() => second.witness.last === 1);
    const { letters } = await readDeadLetters(streams, plan.pipeline.pid);
    assert.deepEqual(
      letters.map(({ headers }) => headers),
      [[['trace', 'a']], [['trace', 'b']]],
    );
    await second.stop();
  });

  it('G6, E11: a batch that is to be stored once is, whichever slot it reaches', async () => {
    const plan = await pipeline();
    const batch = (position: number) =>
      batchOf([{ value: '{"n":1}' }, { value: '{"n":2}' }], {
        once: { key: 'request-1', note: `at ${position}`, forSeconds: 60 },
        position,
      });
    const seen: string[] = [];
    const reader = (position: number) => ({
      ...listReader([batch(position)]),
      acknowledge: (to: Position) => seen.push(`ack ${JSON.stringify(to)}`),
      duplicate: (to: Position, note: string) => seen.push(`duplicate ${JSON.stringify(to)}, ${note}`),
    });
    const one = ingest(streams, plan, () => reader(5), 0);
    await eventually(() => seen.includes('ack 5'));
    const other = ingest(streams, plan, () => reader(8), 1);
    await eventually(() => seen.includes('ack 8'));
    assert.deepEqual(seen, ['ack 5', 'duplicate 8, at 5', 'ack 8']);
    assert.deepEqual(await stored(plan), [1, 2]);
    await Promise.all([one.stop(), other.stop()]);
  });

  it('notices that it was fenced although the source has nothing more to say', async () => {
    const plan = await pipeline();
    let available = 10;
    const zombie = ingest(
      streams,
      plan,
      (position) => new NumberSource(position, { available: () => available, batch: 100 }),
    );
    await eventually(() => zombie.witness.handed === 10);
    const owner = ingest(streams, plan, (position) => bounded(position, 20));
    await owner.done;
    available = 15;
    assert.equal(await zombie.done, 'fenced');
  });

  it('ends the read that waits when it is fenced: a source that stays silent would keep the loop and its buffers', async () => {
    const plan = await pipeline();
    let available = 10;
    let last: AbortSignal | undefined;
    const zombie = ingest(streams, plan, (position) => {
      const source = new NumberSource(position, { available: () => available, batch: 100 });
      const read = source.read.bind(source);
      source.read = (signal) => ((last = signal), read(signal));
      return source;
    });
    await eventually(() => zombie.witness.handed === 10);
    const owner = ingest(streams, plan, (position) => bounded(position, 20));
    await owner.done;
    available = 15;
    assert.equal(await zombie.done, 'fenced');
    assert.equal(last?.aborted, true);
  });

  async function pipeline(options: Parameters<typeof testPlan>[0] = {}): Promise<Plan> {
    const plan = testPlan({ frame: { maxRecords: 100, maxBytes: 64 * 1024, lingerMs: 5 }, ...options });
    await ensurePipelineStreams(streams, plan);
    return plan;
  }

  async function stored(plan: Plan): Promise<number[]> {
    return (await edgeFrames(streams, plan)).flatMap(({ values }) =>
      values.map((text) => (JSON.parse(text) as { n: number }).n),
    );
  }
});

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

function bounded(
  position: Position | undefined,
  total: number,
  record?: (n: number) => { value: string },
  batch?: number,
): NumberSource {
  const source = new NumberSource(position, {
    available: () => total,
    ...(record ? { record } : {}),
    ...(batch ? { batch } : {}),
  });
  source.isBounded = true;
  return source;
}

/** Hands out the batches, each when `when` resolves, and then waits. */
/** Streams whose publishes stop being answered after so many: the process died there. */
function countPublishes(streams: Streams) {
  let crash: () => void = () => undefined;
  let done = new Promise<void>((resolve) => (crash = resolve));
  return {
    crashed: () => done,
    streams(allowed: number): Streams {
      done = new Promise<void>((resolve) => (crash = resolve));
      let publishes = 0;
      return {
        ...streams,
        publish(...args) {
          if (publishes++ < allowed) return streams.publish(...args);
          crash();
          return new Promise(() => undefined);
        },
      };
    },
  };
}
