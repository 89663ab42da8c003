import assert from 'node:assert/strict';
import { MillraceError, reasonOf } from '../../model/errors.ts';
import type { Plan } from '../../model/plan.ts';
import { systemClock } from '../../stream/clock.ts';
import type { Streams } from '../../stream/connection.ts';
import { EdgeWriter } from '../../stream/edge-writer.ts';
import { FrameBuilder } from '../../stream/frame-builder.ts';
import { decodeFrame } from '../../stream/frame-reader.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { batchOf } from './support/batches.ts';
import { startTestServer, testPlan, withTestServer, type TestServer } from './support/server.ts';

describe('edge writer', () => {
  let server: TestServer;
  let streams: Streams;
  const never = new AbortController().signal;

  withTestServer((connected, started) => {
    streams = connected;
    server = started;
  });

  it('E3: a new owner reads the position of the last frame of its subject', async () => {
    const plan = await pipeline();
    const first = await open(plan);
    assert.equal(first.openedAt, undefined);
    await first.append(frame(['a'], { offset: 1 }), never);
    await first.append(frame(['b'], { offset: 2 }), never);
    assert.deepEqual((await open(plan)).openedAt, { offset: 2 });
  });

  it('E4: a stale owner is refused, and stays refused', async () => {
    const plan = await pipeline();
    const stale = await open(plan);
    await stale.append(frame(['a'], 1), never);
    const owner = await open(plan);
    await owner.append(frame(['b'], 2), never);
    await assertCode('MR_OWNERSHIP_LOST', stale.append(frame(['x'], 2), never));
    await assertCode('MR_OWNERSHIP_LOST', stale.append(frame(['y'], 3), never));
    await owner.append(frame(['c'], 3), never);
    assert.deepEqual(await stored(plan), ['a', 'b', 'c']);
  });

  it('E9: an owner of an older plan names at least the plan of the last frame', async () => {
    const plan = await pipeline();
    const newer = await open(plan);
    await newer.append(frame(['a'], 1, newer.link(3)), never);
    const older = await open(plan);
    assert.deepEqual([older.plan, older.link(1).plan, older.link(4).plan], [3, 3, 4]);
    await older.append(frame(['b'], 2, older.link(1)), never);
    assert.deepEqual([older.plan, (await open(plan)).plan], [3, 3]);
  });

  it('E1: refuses a second append while one is in flight', async () => {
    const plan = await pipeline();
    const writer = await open(plan);
    const first = writer.append(frame(['a'], 1), never);
    await assert.rejects(writer.append(frame(['b'], 2), never), /E1/);
    await first;
  });

  it('E7: a full edge makes the writer wait, with the reason, and it goes on when there is room', async () => {
    const plan = await pipeline({ edgeBytes: 64 * 1024 });
    const reasons: (string | undefined)[] = [];
    const writer = await open(plan, streams, (reason) => reasons.push(reason && reasonOf(reason.code)));
    const big = (n: number) => frame([String(n).padEnd(20_000, 'x')], n);
    for (let n = 0; n < 3; n++) await writer.append(big(n), never);
    const waiting = writer.append(big(3), never);
    await eventually(() => reasons.includes('EdgeFull'));
    await streams.jsm.streams.purge(`mr-${plan.pipeline.pid}-main`, { filter: writer.subject, keep: 1 });
    assert.equal((await waiting).outcome, 'stored');
    assert.equal(reasons.at(-1), undefined);
    assert.deepEqual(
      (await stored(plan)).map((text) => Number.parseInt(text, 10)),
      [2, 3],
    );
  });

  it('E7: stops waiting when asked to', async () => {
    const plan = await pipeline({ edgeBytes: 1_000 });
    const writer = await open(plan);
    const stop = new AbortController();
    const waiting = writer.append(frame(['x'.repeat(5_000)], 1), stop.signal);
    stop.abort(new Error('stopping'));
    await assert.rejects(waiting, /stopping/);
  });

  it('A1: a frame whose acknowledgement is lost is stored once, and the chain goes on', async () => {
    const plan = await pipeline();
    const proxy = await startTcpProxy(server.port);
    const behind = await server.connect('behind', `nats://127.0.0.1:${proxy.port}`);
    const writer = await open(plan, behind);
    await writer.append(frame(['a'], 1), never);
    proxy.set('mute');
    const unsure = writer.append(frame(['b'], 2), never);
    await eventually(async () => (await stored(plan)).length === 2);
    proxy.set('pass');
    const { state } = await streams.jsm.streams.info(`mr-${plan.pipeline.pid}-main`);
    assert.deepEqual(await unsure, { outcome: 'stored', sequence: state.last_seq, clean: false });
    await writer.append(frame(['c'], 3), never);
    assert.deepEqual(await stored(plan), ['a', 'b', 'c']);
    await behind.nc.close();
    await proxy.close();
  });

  it('A1: a frame that never reached the server is sent again', async () => {
    const plan = await pipeline();
    const writer = await open(plan);
    await writer.append(frame(['a'], 1), never);
    await server.crash();
    const unsure = writer.append(frame(['b'], 2), never);
    await server.start();
    await unsure;
    assert.deepEqual(await stored(plan), ['a', 'b']);
  });

  it('waits for a stream that is not there yet', async () => {
    const plan = testPlan();
    const reasons: (string | undefined)[] = [];
    const opening = open(plan, streams, (reason) => reasons.push(reason && reasonOf(reason.code)));
    await eventually(() => reasons.includes('StreamMissing'));
    await ensurePipelineStreams(streams, plan);
    assert.equal((await opening).openedAt, undefined);
  });

  const once = (key: string, note = 'first') => ({ once: { key, note, forSeconds: 60 } });

  it('E11: what the edge has a note of is not stored again, whoever brings it, and the tail stays as it was', async () => {
    const plan = await pipeline();
    const one = await open(plan, streams, undefined, 'orders-0');
    const other = await open(plan, streams, undefined, 'orders-2');
    assert.equal((await one.append(frame(['a'], 1), never, once('k'))).outcome, 'stored');
    const again = { outcome: 'duplicate', note: 'first' };
    assert.deepEqual(await other.append(frame(['a'], 1), never, once('k', 'second')), again);
    assert.deepEqual(await one.append(frame(['a'], 2), never, once('k', 'third')), again);
    assert.equal((await one.append(frame(['b'], 2), never)).outcome, 'stored');
    assert.equal((await other.append(frame(['c'], 1), never)).outcome, 'stored');
    assert.deepEqual(await stored(plan), ['a', 'b', 'c']);
  });

  it('E11: two who bring it at the same time: one stores it', async () => {
    const plan = await pipeline();
    const writers = await Promise.all(
      Array.from({ length: 6 }, (_, slot) => open(plan, streams, undefined, `orders-${slot}`)),
    );
    for (const key of ['k', 'l', 'm']) {
      const outcomes = await Promise.all(writers.map((writer) => writer.append(frame([key], 1), never, once(key))));
      assert.equal(outcomes.filter(({ outcome }) => outcome === 'stored').length, 1);
    }
    assert.deepEqual((await stored(plan)).sort(), ['k', 'l', 'm']);
  });

  it('E11: nats-server killed, and the frame swept: it is known all the same', async () => {
    const plan = await pipeline();
    const one = await open(plan, streams, undefined, 'orders-0');
    await one.append(frame(['a'], 1), never, once('k'));
    await one.append(frame(['b'], 2), never);
    await streams.purgeStream(one.stream, { filter: one.subject, seq: one.sequence });
    await server.crash();
    await server.start();
    const other = await open(plan, streams, undefined, 'orders-2');
    assert.deepEqual(await other.append(frame(['a'], 1), never, once('k')), { outcome: 'duplicate', note: 'first' });
    assert.deepEqual(await stored(plan), ['b']);
  });

  it('E11: nats-server killed at any moment of many requests that are sent until they are answered: each is stored once', async () => {
    const plan = await pipeline();
    const writers = await Promise.all([0, 2, 4].map((slot) => open(plan, streams, undefined, `orders-${slot}`)));
    const keys = Array.from({ length: 60 }, (_, n) => `key-${n}`);
    const known = new Set<string>();
    // Each key is brought by every writer: as a client does that has no answer and asks another pod.
    const work = Promise.all(
      writers.map(async (writer, which) => {
        for (const key of [...keys.slice(which * 20), ...keys.slice(0, which * 20)]) {
          await writer.append(frame([key], 1), never, once(key));
          known.add(key);
        }
      }),
    );
    const done = new AbortController();
    void work.finally(() => done.abort());
    for (let kills = 0; kills < 5 && !done.signal.aborted; kills++) {
      const before = known.size;
      await eventually(() => done.signal.aborted || known.size > before + 2);
      await server.crash();
      await server.start();
    }
    await work;
    assert.deepEqual((await stored(plan)).sort(), [...keys].sort());
  });

  it('E11, A1: its own frame, resent, is known as stored and not as a duplicate', async () => {
    const plan = await pipeline();
    const proxy = await startTcpProxy(server.port);
    const behind = await server.connect('behind', `nats://127.0.0.1:${proxy.port}`);
    const writer = await open(plan, behind);
    proxy.set('mute');
    const unsure = writer.append(frame(['a'], 1), never, once('key-9'));
    await eventually(async () => (await stored(plan)).length === 1);
    proxy.set('pass');
    assert.equal((await unsure).outcome, 'stored');
    await writer.append(frame(['b'], 2), never);
    assert.deepEqual(await stored(plan), ['a', 'b']);
    await behind.nc.close();
    await proxy.close();
  });

  it('E11: a key is new again when its time is over', async () => {
    const plan = await pipeline();
    const writer = await open(plan);
    const brief = { once: { key: 'k', note: 'first', forSeconds: 1 } };
    await writer.append(frame(['a'], 1), never, brief);
    await eventually(async () => (await writer.append(frame(['b'], 2), never, brief)).outcome === 'stored');
    assert.deepEqual(await stored(plan), ['a', 'b']);
  });

  it('a frame above what NATS takes is refused at once, and not sent again', async () => {
    const plan = await pipeline();
    const writer = await open(plan);
    await assertCode('MR_FRAME_TOO_LARGE', writer.append(Buffer.alloc(9 * 2 ** 20), never));
    assert.equal((await writer.append(frame(['a'], 1), never)).outcome, 'stored');
  });

  it('a frame that was made before max_payload was lowered is refused when the server is back', async () => {
    const own = await startTestServer();
    const over = await own.connect();
    const plan = testPlan();
    await ensurePipelineStreams(over, plan);
    const writer = await open(plan, over);
    await own.crash();
    const refused = assertCode('MR_FRAME_TOO_LARGE', writer.append(frame(['x'.repeat(200_000)], 1), never));
    await own.start({ maxPayloadBytes: 100_000 });
    await refused;
    assert.equal((await writer.append(frame(['a'], 1), never)).outcome, 'stored');
    await own.stop();
  });

  it('E7: while there is no room, the caller may give a frame up that is not stored for certain', async () => {
    const plan = await pipeline({ edgeBytes: 64 * 1024 });
    const writer = await open(plan);
    for (let n = 0; n < 3; n++) await writer.append(frame([String(n).padEnd(20_000, 'x')], n), never);
    const reasons: string[] = [];
    const mayGiveUp = ({ code }: MillraceError) => reasons.push(code) === 2;
    const big = frame(['3'.padEnd(20_000, 'x')], 3);
    assert.equal((await writer.append(big, never, { mayGiveUp })).outcome, 'full');
    assert.deepEqual(reasons, ['MR_EDGE_FULL', 'MR_EDGE_FULL']);
    assert.equal((await stored(plan)).length, 3);
    assert.equal((await writer.append(frame(['small'], 3), never)).outcome, 'stored');
  });

  it('E7: a frame of which an earlier attempt may still arrive is not given up', async () => {
    const plan = await pipeline({ edgeBytes: 64 * 1024 });
    const reasons: (string | undefined)[] = [];
    const writer = await open(plan, unansweredOnce(streams), (reason) => reasons.push(reason?.code));
    const waiting = writer.append(frame(['0'.padEnd(70_000, 'x')], 0), never, { mayGiveUp: () => true });
    await eventually(() => reasons.includes('MR_EDGE_FULL'));
    const { pid } = plan.pipeline;
    await streams.updateStream({ name: `mr-${pid}-main`, subjects: [`mr.${pid}.main.>`], max_bytes: 200_000 });
    assert.equal((await waiting).outcome, 'stored');
  });

  async function pipeline(options: Parameters<typeof testPlan>[0] = {}): Promise<Plan> {
    const plan = testPlan(options);
    await ensurePipelineStreams(streams, plan);
    return plan;
  }

  function open(
    plan: Plan,
    over = streams,
    onWaiting?: (reason: MillraceError | undefined) => void,
    writer = 'orders-0',
  ) {
    return EdgeWriter.open(
      {
        streams: over,
        pid: plan.pipeline.pid,
        edge: 'main',
        shard: 0,
        writer,
        clock: systemClock,
        random: () => 0.5,
        ...(onWaiting ? { onWaiting } : {}),
      },
      never,
    );
  }

  async function stored(plan: Plan): Promise<string[]> {
    const name = `mr-${plan.pipeline.pid}-main`;
    const { state } = await streams.jsm.streams.info(name);
    const values: string[] = [];
    for (let sequence = state.first_seq; sequence <= state.last_seq && state.messages > 0; sequence++) {
      const message = await streams.jsm.streams.getMessage(name, { seq: sequence });
      if (message?.subject.startsWith(`mr.${plan.pipeline.pid}.main.`) !== true) continue;
      const read = decodeFrame(message.data, { stream: name, sequence });
      for (let index = 0; index < read.count; index++)
        values.push(Buffer.from(read.bytes.subarray(read.valueStart[index], read.valueEnd[index])).toString());
    }
    return values;
  }
});

function frame(
  values: readonly string[],
  position: Parameters<FrameBuilder['finish']>[0],
  link?: ReturnType<EdgeWriter['link']>,
): Buffer {
  const builder = new FrameBuilder({ maxRecords: 1_000, maxBytes: 256 * 1024, capBytes: 2 ** 20 });
  builder.append(batchOf(values.map((value) => ({ value }))), 0, 1);
  return builder.finish(position, 1, link);
}

/** The first publish never reaches the server, and nobody knows. */
function unansweredOnce(streams: Streams): Streams {
  let publishes = 0;
  const publish: Streams['publish'] = (...args) =>
    publishes++ === 0 ? Promise.reject(new Error('no answer')) : streams.publish(...args);
  return Object.create(streams, { publish: { value: publish } }) as Streams;
}

async function assertCode(code: string, done: Promise<unknown>): Promise<void> {
  await assert.rejects(done, (error) => error instanceof MillraceError && error.code === code);
}
