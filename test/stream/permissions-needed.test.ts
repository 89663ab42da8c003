/**
 * Pods at work under their own user on a real nats-server in operator mode: each thing that they do is permitted, and what
 * is permitted is used by one of them. The lifecycle's part is done by the control plane's user.
 */
import assert from 'node:assert/strict';
import type { Plan, Stage } from '../../model/plan.ts';
import { parseDecision } from '../../model/decision.ts';
import { deadEdge, edgeStream, frameSubject } from '../../model/names.ts';
import { carryOut, streamsFound } from '../../stream/carry-out.ts';
import { systemClock } from '../../stream/clock.ts';
import type { Streams } from '../../stream/connection.ts';
import { countDeadLetters } from '../../stream/dead-letter-count.ts';
import type { DeadLetter } from '../../stream/dead-letter.ts';
import { DeadLetterWriter } from '../../stream/dead-letters.ts';
import { commitOf, isDrained } from '../../stream/drained.ts';
import { EdgeWriter } from '../../stream/edge-writer.ts';
import { registerPlan } from '../../stream/members.ts';
import { permissionsOf } from '../../stream/permissions.ts';
import { publishPodReport, readPodReports } from '../../stream/pod-report.ts';
import { firstBytes } from '../../stream/room.ts';
import { deadLetterRoom, edgeRoom } from '../../stream/slot-rooms.ts';
import { SlotRunner } from '../../stream/slot-runner.ts';
import { ensurePipelineStreams, ensureSharedStreams, makePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTable, NumberSource } from './support/fakes.ts';
import { frameOf } from './support/frames.ts';
import { pour } from './support/pour.ts';
import { podReport } from './support/reports.ts';
import { testPlan, type TestPlanOptions } from './support/server.ts';
import { drain, eagerClock, ingest, type RunningSlot } from './support/stages.ts';
import { matches, usedBy, type Used } from './support/used.ts';
import { startGuardedServer, type GuardedServer } from './support/users.ts';

describe('pods may', () => {
  let server: GuardedServer;
  let all: Streams;
  const works: { readonly plan: Plan; readonly used: Used }[] = [];
  const never = new AbortController().signal;
  const random = () => 0.5;

  before(async () => {
    server = await startGuardedServer();
    all = await server.connect();
    await ensureSharedStreams(all);
  });
  afterEach(() => {
    for (const { used } of works) assert.deepEqual(used.refused, []);
  });
  after(() => server.stop());

  /** Pods of a new pipeline that may drop its dead letters. */
  async function podsOf(
    options: TestPlanOptions = {},
    make: (plan: Plan) => Promise<unknown> = (plan) => ensurePipelineStreams(all, plan),
  ) {
    const plan: Plan = { ...testPlan(options), deadLetters: { maxBytes: 2 * 2 ** 20, whenFull: 'DropOldest' } };
    await make(plan);
    const pods = await server.connectAsPods(plan);
    works.push({ plan, used: usedBy(pods.nc) });
    return { plan, pods, pid: plan.pipeline.pid };
  }

  it('take leases, move records from source to sink, write dead letters, sweep, and report', async () => {
    const { plan, pods, pid } = await podsOf({ sourceSlots: 1, shards: 1 });
    const table = new MemoryTable();
    const record = (n: number) => ({ value: JSON.stringify({ n, ...(n % 10 === 3 ? { fail: true } : {}) }) });
    const runners = [
      runner(pods, plan, 'ingestor-orders', () =>
        ingest(pods, plan, (position) => new NumberSource(position, { record, available: () => 100 })),
      ),
      runner(pods, plan, 'sink-warehouse', () => drain(pods, plan, table)),
    ];
    await eventually(async () => table.rows.length === 90 && (await isDrained(all, plan)).drained);
    await eventually(async () => (await all.streamInfo(edgeStream(pid, 'main'))).state.messages === 1);
    await publishPodReport(pods, podReport({ pid }));
    await Promise.all(runners.map((one) => one.stop(1_000)));
    assert.equal((await countDeadLetters(all, pid)).records, 10);
    assert.equal((await readPodReports(all, pid)).length, 1);
  });

  it('store a key once', async () => {
    const { plan, pods } = await podsOf();
    const { writer } = await openWriter(pods, plan);
    const once = { once: { key: 'k', note: 'first', forSeconds: 60 } };
    const outcomes = [];
    for (let n = 1; n <= 2; n++) outcomes.push((await writer.append(frameOf(['a'], n), never, once)).outcome);
    assert.deepEqual(outcomes, ['stored', 'duplicate']);
  });

  it('make room in their edge', async () => {
    const { plan, pods, pid } = await podsOf();
    const { writer, room } = await openWriter(pods, plan);
    for (let n = 1; n <= 6; n++) await writer.append(frameOf(['x'.repeat(3 * 2 ** 20)], n), never);
    room[Symbol.dispose]();
    const { config } = await all.streamInfo(edgeStream(pid, 'main'));
    assert.equal(config.max_bytes, 2 * firstBytes.edge);
  });

  it('make room for dead letters, and drop the oldest', async () => {
    const { plan, pods, pid } = await podsOf();
    let dropped = 0;
    using room = deadLetterRoom({ streams: pods, plan, clock: eagerClock }, (records) => (dropped += records));
    const letters = await DeadLetterWriter.open(
      { streams: pods, pid, writer: 'sink-warehouse-0', maxFrameBytes: 900_000, clock: eagerClock, random, room },
      never,
    );
    for (let n = 1; n <= 30; n++) await letters.append([letter(n)], n, never);
    assert(dropped > 0);
    const { config } = await all.streamInfo(edgeStream(pid, deadEdge));
    assert.equal(config.max_bytes, 2 * firstBytes.deadLetters);
  });

  it('pass a reader that has not begun over what is not for it', async () => {
    const act = (opSeq: number) => ({ streams: all, opSeq, clock: eagerClock });
    const frame = { maxRecords: 10, maxBytes: 4_096, lingerMs: 1 };
    const { plan, pods, pid } = await podsOf({ shards: 1, sourceSlots: 1, edgeBytes: 4_000, frame }, async (first) => {
      await makePipelineStreams(all, first);
      await registerPlan(act(1), first);
    });
    const stages = plan.stages.flatMap((stage): Stage[] =>
      stage.kind === 'sink' ? [stage, { ...stage, name: 'sink-late', workload: 'sink-late', sink: 'late' }] : [stage],
    );
    await registerPlan(act(2), { ...plan, stages, pipeline: { ...plan.pipeline, generation: 2 } });
    await pour(pods, plan, new MemoryTable(), 500);
    assert(((await commitOf(all, pid, 'sink-late', 0))?.to ?? 0) > 0);
  });

  it('ask a person, and act upon the decision', async () => {
    const { plan, pods, pid } = await podsOf({ shards: 1, sourceSlots: 1 });
    const known = await streamsFound(all, plan);
    const table = new MemoryTable();
    await pour(pods, plan, table, 100);
    const stream = edgeStream(pid, 'main');
    const last = await all.getMessage(stream, { last_by_subj: frameSubject(pid, 'main', 0, 'orders-0') });
    assert(last !== null);
    await all.jsm.streams.deleteMessage(stream, last.seq);
    const slots = [
      ingest(pods, plan, (position) => new NumberSource(position, { available: () => 120 })),
      drain(pods, plan, table),
    ];
    for (const { witness } of slots)
      await eventually(() => witness.waits.some(([, code]) => code === 'MR_POSITION_LOST'));
    const decision = parseDecision('main.1=reread');
    assert(decision !== undefined);
    await carryOut({ streams: all, opSeq: 1, clock: eagerClock, replicas: 1, cluster: 'test', known }, plan, decision);
    await eventually(() => table.rows.some(({ value }) => value['n'] === 119));
    await Promise.all(slots.map((slot) => slot.stop()));
  });

  it('make the streams of leases and reports again when the server has lost them', async () => {
    const { pods, pid } = await podsOf();
    await server.restart();
    await eventually(() => publishPodReport(pods, podReport({ pid })));
    assert.equal((await readPodReports(all, pid)).length, 1);
  });

  it('nothing that none of the above has needed', () => {
    const unused = works.map(({ plan, used }) => {
      const { pub, sub } = permissionsOf(plan);
      const isUnused = (subjects: Set<string>) => (pattern: string) =>
        ![...subjects].some((subject) => matches(pattern, subject));
      const left = [...pub.allow.filter(isUnused(used.published)), ...sub.allow.filter(isUnused(used.subscribed))];
      return new Set(left.map((pattern) => pattern.replaceAll(plan.pipeline.pid, '<pid>')));
    });
    const [first = new Set<string>(), ...others] = unused;
    assert.deepEqual(
      [...first].filter((pattern) => others.every((other) => other.has(pattern))),
      [],
    );
  });

  function runner(pods: Streams, plan: Plan, stage: string, start: () => RunningSlot): SlotRunner {
    const made = new SlotRunner({
      ...{ streams: pods, pid: plan.pipeline.pid, stage, pod: `${stage}-a`, run: '1', slots: 1 },
      ...{ clock: systemClock, random, renewMs: 200 },
      onOwned: () => undefined,
      onFailure: () => undefined,
      work: async (_, { stop }) => {
        const slot = start();
        const stopped = new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
        await Promise.race([slot.done, stopped]);
        return slot.stop();
      },
    });
    made.start();
    return made;
  }

  async function openWriter(pods: Streams, plan: Plan) {
    const room = edgeRoom({ streams: pods, plan, clock: eagerClock }, 'main', () => Promise.resolve());
    const place = { pid: plan.pipeline.pid, edge: 'main', shard: 0, writer: 'orders-0' };
    const writer = await EdgeWriter.open({ ...place, streams: pods, clock: eagerClock, random, room }, never);
    return { writer, room };
  }
});

function letter(sequence: number): DeadLetter {
  return {
    ...{ stage: 'sink-warehouse', slot: 0, sequence, index: 0, source: 'orders', partition: 0, offset: '1' },
    ...{ step: 'check', code: 'MR_RECORD_EXPRESSION', text: 'no such field', value: Buffer.alloc(150_000), key: null },
    ...{ headers: [], timestamp: 0 },
  };
}
