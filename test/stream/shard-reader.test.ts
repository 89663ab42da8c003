import assert from 'node:assert/strict';
import { edgeStream, shardSubjects } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import { systemClock } from '../../stream/clock.ts';
import type { Streams } from '../../stream/connection.ts';
import { EdgeWriter } from '../../stream/edge-writer.ts';
import type { Chain } from '../../stream/frame-chain.ts';
import { checkOf } from '../../stream/frame.ts';
import { ShardReader } from '../../stream/shard-reader.ts';
import { isDrained } from '../../stream/drained.ts';
import {
  committedOf,
  ensurePipelineStreams,
  makePipelineStreams,
  pipelineStreamsExist,
  deletePipelineStreams,
} from '../../stream/streams.ts';
import { CommitLog } from '../../stream/commit-log.ts';
import { Sweeper, sweep } from '../../stream/sweep.ts';
import { eventually } from '../support/eventually.ts';
import { frameOf } from './support/frames.ts';
import { testPlan, withTestServer, type TestServer } from './support/server.ts';

describe('shard reader', () => {
  let server: TestServer;
  let streams: Streams;
  const never = new AbortController().signal;
  const base = { clock: systemClock, random: () => 0.5 };

  withTestServer((connected, started) => {
    streams = connected;
    server = started;
  });

  it('E8: sees all writers of its shard in one order, and nothing of other shards', async () => {
    const plan = await pipeline();
    const [a, b, c] = [
      await writer(plan, 0, 'orders-0'),
      await writer(plan, 0, 'orders-2'),
      await writer(plan, 1, 'orders-1'),
    ];
    for (let n = 0; n < 5; n++)
      for (const one of [a, b, c]) await one.append(frameOf([`${one.subject}:${n}`], n), never);
    const frames = await read(plan, 0, 1, 10);
    assert.deepEqual(
      frames.map((frame) => frame.sequence),
      [1, 2, 4, 5, 7, 8, 10, 11, 13, 14],
    );
    assert(frames.every((frame) => frame.subject.startsWith(shardSubjects(plan.pipeline.pid, 'main', 0).slice(0, -1))));
  });

  it('begins at the sequence asked for and waits for frames to come', async () => {
    const plan = await pipeline();
    const one = await writer(plan, 0, 'orders-0');
    for (let n = 1; n <= 3; n++) await one.append(frameOf(['x'], n), never);
    const reading = read(plan, 0, 3, 2);
    await one.append(frameOf(['y'], 4), never);
    assert.deepEqual(
      (await reading).map((frame) => frame.sequence),
      [3, 4],
    );
  });

  it('R2: does not ask for more than its window while the caller takes nothing', async () => {
    const plan = await pipeline();
    const one = await writer(plan, 0, 'orders-0');
    for (let n = 1; n <= 40; n++) await one.append(frameOf(['x'.repeat(50_000)], n), never);
    const before = streams.nc.stats().inBytes;
    const reader = open(plan, 0, 1, 400_000);
    await reader.wait(never);
    await streams.nc.flush();
    await eventually(async () => {
      await streams.nc.flush();
      return streams.nc.stats().inBytes - before > 150_000;
    });
    await streams.nc.flush();
    assert(streams.nc.stats().inBytes - before < 500_000);
    const sequences = await take(reader, 40);
    assert.deepEqual(
      sequences.map((frame) => frame.sequence),
      Array.from({ length: 40 }, (_, n) => n + 1),
    );
    await reader.close();
  });

  it('R2: a frame larger than the window still comes', async () => {
    const plan = await pipeline();
    const one = await writer(plan, 0, 'orders-0');
    await one.append(frameOf(['small'], 1), never);
    await one.append(frameOf(['x'.repeat(300_000)], 2), never);
    await one.append(frameOf(['small'], 3), never);
    const reader = open(plan, 0, 1, 100_000);
    assert.deepEqual(
      (await take(reader, 3)).map((frame) => frame.sequence),
      [1, 2, 3],
    );
    await reader.close();
  });

  it('I6: kill -9 of nats-server in the middle loses and repeats no frame', async () => {
    const plan = await pipeline();
    const one = await writer(plan, 0, 'orders-0');
    const reader = open(plan, 0, 1);
    const reading = take(reader, 300);
    for (let n = 1; n <= 300; n++) {
      const appending = one.append(frameOf([String(n)], n), never);
      if (n % 100 === 50) {
        await server.crash();
        await server.start();
      }
      await appending;
    }
    assert.deepEqual(
      (await reading).map((frame) => frame.sequence),
      Array.from({ length: 300 }, (_, n) => n + 1),
    );
    await reader.close();
  });

  it('E6, E10: a sweep removes what all who are registered committed, keeps what one did not, and the last frame', async () => {
    const plan = await registered(['warehouse', 'archive']);
    const { pid } = plan.pipeline;
    const one = await writer(plan, 0, 'orders-0');
    const sequences = [one.sequence];
    for (let n = 1; n <= 10; n++) {
      await one.append(frameOf(['x'], n, one.link(1)), never);
      sequences.push(one.sequence);
    }
    const target = await targetOf(plan, one);
    const left = () => sequencesOf(plan, one.subject);
    await sweep(streams, target, one.sequence);
    assert.deepEqual(await left(), sequences);
    await commit(pid, 'sink-warehouse', sequences[9]!);
    await sweep(streams, target, one.sequence);
    assert.deepEqual(await left(), sequences);
    await commit(pid, 'sink-archive', sequences[4]!);
    assert.equal(await sweep(streams, target, one.sequence), sequences[4]! + 1);
    assert.deepEqual(await left(), sequences.slice(5));
    await commit(pid, 'sink-warehouse', sequences[10]!);
    await commit(pid, 'sink-archive', sequences[10]!);
    const sweeper = new Sweeper(streams, target, systemClock, (error) => assert.fail(String(error)));
    sweeper.wrote(one.sequence);
    sweeper.now();
    await sweeper.close();
    assert.deepEqual(await left(), sequences.slice(10));
    assert.equal((await writer(plan, 0, 'orders-0')).openedAt, 10);
    await one.append(frameOf(['y'], 11, one.link(1)), never);
  });

  it('W3: a commit counts for sweeping only while the frame that it names is the one that was taken', async () => {
    const plan = await registered();
    const { pid } = plan.pipeline;
    const one = await writer(plan, 0, 'orders-0');
    for (let n = 1; n <= 5; n++) await one.append(frameOf(['x'], n, one.link(1)), never);
    const target = await targetOf(plan, one);
    const third = (await sequencesOf(plan, one.subject))[3]!;
    const frame = await streams.getMessage(one.stream, { seq: third });
    const check = checkOf(frame?.data ?? new Uint8Array(4));
    const chain = {
      edge: target.created,
      decided: 0,
      since: 0,
      writers: { 'orders-0': [third, check] as [number, number] },
    };
    const sweepAfter = async (said: typeof chain) => {
      await commit(pid, 'sink-warehouse', third, said);
      return sweep(streams, target, one.sequence);
    };
    assert((await sweepAfter({ ...chain, edge: 'another stream' })) <= 1);
    assert.equal(await sweepAfter({ ...chain, writers: { 'orders-0': [third, (check ^ 1) >>> 0] } }), 0);
    assert.equal(await sweepAfter(chain), third);
    assert.equal((await sequencesOf(plan, one.subject))[0], third);
  });

  it('W4: a writer whose last frame was lost leaves the one before it, though all was committed', async () => {
    const plan = await registered();
    const one = await writer(plan, 0, 'orders-0');
    for (let n = 1; n <= 3; n++) await one.append(frameOf(['x'], n, one.link(1)), never);
    const before = await sequencesOf(plan, one.subject);
    await commit(plan.pipeline.pid, 'sink-warehouse', one.sequence + 2);
    const lost = one.sequence + 1;
    assert.equal(await sweep(streams, await targetOf(plan, one), lost), 0);
    assert.deepEqual(await sequencesOf(plan, one.subject), before);
    assert.equal((await writer(plan, 0, 'orders-0')).openedAt, 3);
  });

  it('W1: a registered reader whose first commit a replica does not have yet holds everything', async () => {
    const plan = await registered(['warehouse', 'archive']);
    const one = await writer(plan, 0, 'orders-0');
    for (let n = 1; n <= 3; n++) await one.append(frameOf(['x'], n, one.link(1)), never);
    await commit(plan.pipeline.pid, 'sink-warehouse', one.sequence);
    const before = await sequencesOf(plan, one.subject);
    const lastOfEach: Streams['lastOfEach'] = async (stream, subjects) =>
      (await streams.lastOfEach(stream, subjects)).filter(({ subject }) => !subject.includes('archive'));
    assert.equal(await sweep({ ...streams, lastOfEach }, await targetOf(plan, one), one.sequence), 1);
    assert.deepEqual(await sequencesOf(plan, one.subject), before);
  });

  it('W5: no frame is looked at until a position has moved', async () => {
    const plan = await registered(['warehouse']);
    const one = await writer(plan, 0, 'orders-0');
    for (let n = 1; n <= 3; n++) await one.append(frameOf(['x'], n, one.link(1)), never);
    let looks = 0;
    const getMessage: Streams['getMessage'] = (stream, query) => {
      if (stream === edgeStream(plan.pipeline.pid, 'main')) looks++;
      return streams.getMessage(stream, query);
    };
    const target = await targetOf(plan, one);
    const swept = (from: number) => sweep({ ...streams, getMessage }, target, one.sequence, from);
    await commit(plan.pipeline.pid, 'sink-warehouse', one.sequence - 2);
    const first = await swept(0);
    assert.ok(looks > 0);
    looks = 0;
    assert.equal(await swept(first), first);
    assert.equal(looks, 0);
    await commit(plan.pipeline.pid, 'sink-warehouse', one.sequence);
    assert.ok((await swept(first)) > first);
  });

  it('W1: with no reader registered nothing is swept', async () => {
    const plan = testPlan();
    await makePipelineStreams(streams, plan);
    const one = await writer(plan, 0, 'orders-0');
    for (let n = 1; n <= 3; n++) await one.append(frameOf(['x'], n), never);
    await commit(plan.pipeline.pid, 'sink-warehouse', 3);
    assert.equal(await sweep(streams, await targetOf(plan, one), one.sequence), 0);
  });

  it('an intent leaves the committed position where it was', async () => {
    const plan = await pipeline();
    const { pid } = plan.pipeline;
    const log = await CommitLog.open({ ...base, streams, pid, stage: 'sink-warehouse', slot: 1 }, never);
    await log.append({ kind: 'commit', to: 5 }, never);
    await log.append({ kind: 'intent', from: 6, to: 9, after: 5, token: 't', rows: 3 }, never);
    assert.equal(await committedOf(streams, pid, 'sink-warehouse', 1), 5);
    const next = await CommitLog.open({ ...base, streams, pid, stage: 'sink-warehouse', slot: 1 }, never);
    assert.equal(next.last?.kind, 'intent');
    await next.append({ kind: 'commit', to: 9 }, never);
    await assert.rejects(log.append({ kind: 'commit', to: 9 }, never), /MR_OWNERSHIP_LOST/);
  });

  it('is drained when every slot of every reader has committed the end of its shard, with no process running', async () => {
    const plan = await registered();
    const { pid } = plan.pipeline;
    assert.deepEqual(await isDrained(streams, plan), { drained: true, behind: [] });
    const one = await writer(plan, 1, 'orders-1');
    for (let n = 1; n <= 3; n++) await one.append(frameOf(['x'], n, one.link(1)), never);
    // With the frame with which the writer was registered, which is nothing to wait for.
    assert.deepEqual((await isDrained(streams, plan)).behind, [{ stage: 'sink-warehouse', slot: 1, frames: 4 }]);
    await commit(pid, 'sink-warehouse', one.sequence - 1, undefined, 1);
    assert.equal((await isDrained(streams, plan)).drained, false);
    await commit(pid, 'sink-warehouse', one.sequence, undefined, 1);
    assert.equal((await isDrained(streams, plan)).drained, true);
    await one.append(frameOf([], 4, one.link(1)), never);
    assert.equal((await isDrained(streams, plan)).drained, true);
  });

  it('is not drained by commits of another stream of the same name, or of frames that are no longer there', async () => {
    const plan = await registered();
    const { pid } = plan.pipeline;
    const one = await writer(plan, 0, 'orders-0');
    await one.append(frameOf(['x'], 1, one.link(1)), never);
    const { created } = await streams.streamInfo(one.stream);
    const said = (edge: string, sequence: number, check: number) =>
      commit(pid, 'sink-warehouse', 1_000, { edge, decided: 0, since: 0, writers: { 'orders-0': [sequence, check] } });
    await said('another stream', one.sequence, one.check);
    assert.equal((await isDrained(streams, plan)).drained, false);
    await said(created, one.sequence + 5, one.check);
    assert.equal((await isDrained(streams, plan)).drained, false);
    await said(created, one.sequence, one.check);
    assert.equal((await isDrained(streams, plan)).drained, true);
  });

  it('making streams twice changes nothing, a new size is taken over, and deleting removes all of one pipeline', async () => {
    const plan = await pipeline();
    await ensurePipelineStreams(streams, plan);
    const limitUnder = async (maxBytes: number) => {
      await ensurePipelineStreams(streams, { ...plan, edges: [{ name: 'main', shards: 2, maxBytes }] });
      return (await streams.jsm.streams.info(`mr-${plan.pipeline.pid}-main`)).config.max_bytes;
    };
    // A larger one is room to grow into, which nobody has needed yet (docs/decisions/061).
    assert.equal(await limitUnder(512 * 2 ** 20), 16 * 2 ** 20);
    assert.equal(await limitUnder(8 * 2 ** 20), 8 * 2 ** 20);
    const other = await pipeline();
    assert(await pipelineStreamsExist(streams, plan));
    const owner = { ...plan.pipeline, adopts: false };
    await deletePipelineStreams(streams, owner);
    await deletePipelineStreams(streams, owner);
    assert.equal(await pipelineStreamsExist(streams, plan), false);
    assert(await pipelineStreamsExist(streams, other));
  });

  /** The streams alone: what the reader sees are the frames of the test. */
  async function pipeline(): Promise<Plan> {
    const plan = testPlan();
    await makePipelineStreams(streams, plan);
    return plan;
  }

  async function registered(sinks: readonly string[] = ['warehouse']): Promise<Plan> {
    const plan = testPlan({ sinks });
    await ensurePipelineStreams(streams, plan);
    return plan;
  }

  async function targetOf(plan: Plan, one: EdgeWriter) {
    const { created } = await streams.streamInfo(one.stream);
    return { pid: plan.pipeline.pid, edge: 'main', subject: one.subject, writer: one.writer, shard: 0, created };
  }

  /** As a slot would, and with the chain that it says. */
  async function commit(pid: string, stage: string, to: number, chain?: Chain, slot = 0) {
    const log = await CommitLog.open({ ...base, streams, pid, stage, slot }, never);
    await log.reset({ kind: 'commit', to, ...(chain === undefined ? {} : { chain }) }, never);
  }

  async function sequencesOf(plan: Plan, subject: string): Promise<number[]> {
    const stream = `mr-${plan.pipeline.pid}-main`;
    const found: number[] = [];
    for (let seq = 1; ;) {
      const message = await streams.directGet(stream, { seq, next_by_subj: subject });
      if (message === null) return found;
      found.push(message.seq);
      seq = message.seq + 1;
    }
  }

  function writer(plan: Plan, shard: number, name: string) {
    return EdgeWriter.open({ ...base, streams, pid: plan.pipeline.pid, edge: 'main', shard, writer: name }, never);
  }

  function open(plan: Plan, shard: number, firstSequence: number, maxBufferedBytes?: number) {
    const { pid } = plan.pipeline;
    return new ShardReader({
      ...base,
      streams,
      stream: `mr-${pid}-main`,
      subjects: shardSubjects(pid, 'main', shard),
      firstSequence,
      ...(maxBufferedBytes === undefined ? {} : { maxBufferedBytes }),
    });
  }

  async function take(reader: ShardReader, count: number) {
    const frames = [];
    while (frames.length < count) {
      const frame = reader.take();
      if (frame === undefined) await reader.wait(never);
      else frames.push(frame);
    }
    return frames;
  }

  async function read(plan: Plan, shard: number, first: number, count: number) {
    const reader = open(plan, shard, first);
    try {
      return await take(reader, count);
    } finally {
      await reader.close();
    }
  }
});
