import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Clock } from '../../model/clock.ts';
import { systemClock } from '../../stream/clock.ts';
import type { Streams } from '../../stream/connection.ts';
import { leaseSubject } from '../../model/names.ts';
import { planLeases } from '../../stream/lease-plan.ts';
import { Leases, type LossReason } from '../../stream/leases.ts';
import { ensurePipelineStreams, ensureSharedStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { startTestServer, testPlan, type TestServer } from './support/server.ts';

/** A pod of these tests looks after its leases this often. */
const renewMs = 300;

describe('lease plan', () => {
  it('L1: from any beginning, pods that follow the plan end with shares that differ by at most one and cover all slots', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.nat(6), { minLength: 12, maxLength: 12 }),
        (slots, count, owners) => {
          const pods = Array.from({ length: count }, (_, index) => `pod-${index}`);
          const holders = new Map<number, string>();
          for (let slot = 0; slot < slots; slot++) {
            const owner = pods[owners[slot]!];
            if (owner !== undefined) holders.set(slot, owner);
          }
          for (let turn = 0; turn < 3; turn++) {
            for (const pod of pods) {
              const held = [...holders].filter(([, holder]) => holder === pod).map(([slot]) => slot);
              const moves = planLeases({ holders, pods: new Set(pods) }, pod, slots, held);
              moves.give.forEach((slot) => holders.delete(slot));
              moves.take.forEach((slot) => holders.set(slot, pod));
            }
          }
          assert.equal(holders.size, slots);
          const shares = pods.map((pod) => [...holders.values()].filter((holder) => holder === pod).length);
          assert(Math.max(...shares) - Math.min(...shares) <= 1);
        },
      ),
    );
  });
});

describe('leases', () => {
  let server: TestServer;
  let streams: Streams;
  const started: TestPod[] = [];
  let stages = 0;
  const plan = testPlan();
  const makeStreams = async (over: Streams) => {
    await ensureSharedStreams(over);
    await ensurePipelineStreams(over, plan);
  };

  before(async () => {
    server = await startTestServer();
    streams = await server.connect();
    await makeStreams(streams);
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((pod) => pod.leases.stop()));
  });
  after(() => server.stop());

  it('one pod takes all slots', async () => {
    const a = pod(stage(), 'a');
    await holds(a, [0, 1, 2, 3]);
  });

  it('L4: a second pod gets its share, and gets it all when the first one stops', async () => {
    const name = stage();
    const a = pod(name, 'a');
    await holds(a, [0, 1, 2, 3]);
    const b = pod(name, 'b');
    await eventually(() => a.slots.size === 2 && b.slots.size === 2);
    assert.deepEqual(union(a, b), [0, 1, 2, 3]);
    await a.leases.stop();
    await holds(b, [0, 1, 2, 3]);
  });

  it('L2, L3: the slots of a pod that goes silent are taken by another, and the silent pod knows that it lost them', async () => {
    const name = stage();
    const frozen = new FreezableClock();
    const a = pod(name, 'a', { clock: frozen, ttlMs: 1_500, renewMs: 300 });
    await holds(a, [0, 1, 2, 3]);
    frozen.freeze();
    const b = pod(name, 'b', { ttlMs: 1_500, renewMs: 300 });
    await holds(b, [0, 1, 2, 3]);
    frozen.thaw();
    await eventually(() => a.lost.length === 4);
    for (const [, reason, why] of a.lost) {
      assert.equal(reason, 'expired');
      assert.match(why, /this process stood still|has taken it/);
    }
    await eventually(() => a.slots.size === 2 && b.slots.size === 2);
  });

  it('L2: a pod that cannot reach nats-server loses its slots by its own clock', async () => {
    const own = await startTestServer();
    const over = await own.connect();
    await makeStreams(over);
    const a = pod(stage(), 'a', { ttlMs: 1_500, renewMs: 300 }, over);
    await holds(a, [0, 1, 2, 3]);
    await own.crash();
    await eventually(() => a.slots.size === 0);
    for (const [, , why] of a.lost)
      assert.match(why, /^its lease was not renewed for 1500 ms: NATS at \S+ has not answered/);
    await own.start();
    await holds(a, [0, 1, 2, 3]);
    await a.leases.stop();
    started.splice(started.indexOf(a), 1);
    await own.stop();
  });

  it('keeps its slots over a restart of nats-server that is shorter than the lease, although the stream is gone', async () => {
    const a = pod(stage(), 'a', { ttlMs: 6_000, renewMs: 300 });
    await holds(a, [0, 1, 2, 3]);
    await server.crash();
    await server.start();
    await eventually(async () => (await streams.jsm.streams.info('mr-leases')).state.messages >= 5);
    assert.equal(a.lost.length, 0);
  });

  it('L5: takes what an earlier run of the same pod left, without waiting for it to expire', async () => {
    const name = stage();
    const frozen = new FreezableClock();
    const before = pod(name, 'a', { clock: frozen, ttlMs: 30_000, run: 'one' });
    await holds(before, [0, 1, 2, 3]);
    frozen.freeze();
    const after = pod(name, 'a', { ttlMs: 30_000, run: 'two' });
    await holds(after, [0, 1, 2, 3]);
    frozen.thaw();
    await eventually(() => before.lost.length === 4);
    // Of a later run nothing is taken back: two more turns of the one that woke leave all with the other.
    const turns = frozen.sleeps(renewMs) + 2;
    await eventually(() => frozen.sleeps(renewMs) >= turns);
    assert.deepEqual([...after.slots].sort(), [0, 1, 2, 3]);
    assert.equal(before.slots.size, 0);
    assert.deepEqual(after.lost, []);
  });

  it('L6: a renewal that nobody answers costs its own slot, and no other', async () => {
    const name = stage();
    const renewed = [0, 0, 0, 0];
    let answer: (error: Error) => void = () => undefined;
    const silence = new Promise<never>((_, reject) => (answer = reject));
    const publish: Streams['publish'] = async (subject, ...rest) => {
      const slot = [0, 1, 2, 3].find((each) => subject === leaseSubject(plan.pipeline.pid, name, each));
      if (slot !== undefined) renewed[slot] = (renewed[slot] ?? 0) + 1;
      return await (slot === 0 && renewed[0]! > 1 ? silence : streams.publish(subject, ...rest));
    };
    const over = Object.create(streams, { publish: { value: publish } }) as Streams;
    const a = pod(name, 'a', { ttlMs: 1_500, renewMs: 300 }, over);
    await holds(a, [0, 1, 2, 3]);
    await eventually(() => a.lost.length > 0);
    const since = [...renewed];
    await eventually(() => [1, 2, 3].every((each) => renewed[each]! >= since[each]! + 3));
    const why = `its lease was not renewed for 1500 ms: NATS at ${streams.server} has not answered`;
    assert.deepEqual(a.lost, [[0, 'expired', why]]);
    answer(new Error('the test is over'));
  });

  interface TestPod {
    readonly leases: Leases;
    readonly slots: Set<number>;
    readonly lost: [slot: number, reason: LossReason, why: string][];
  }

  function pod(
    name: string,
    podName: string,
    options: { clock?: Clock; ttlMs?: number; renewMs?: number; run?: string } = {},
    over = streams,
  ): TestPod {
    const slots = new Set<number>();
    const lost: TestPod['lost'] = [];
    const leases = new Leases({
      streams: over,
      pid: plan.pipeline.pid,
      stage: name,
      pod: podName,
      run: options.run ?? podName,
      slots: 4,
      clock: options.clock ?? systemClock,
      ttlMs: options.ttlMs ?? 3_000,
      renewMs: options.renewMs ?? renewMs,
      onAcquire: (slot) => slots.add(slot),
      onLose: (slot, reason, why) => {
        slots.delete(slot);
        lost.push([slot, reason, why]);
        if (reason === 'rebalance') void leases.release(slot);
      },
      onFailure: () => undefined,
    });
    leases.start();
    const made = { leases, slots, lost };
    started.push(made);
    return made;
  }

  const stage = () => `stage-${++stages}`;
  const holds = (one: TestPod, want: number[]) => eventually(() => assert.deepEqual([...one.slots].sort(), want));
  const union = (a: TestPod, b: TestPod) => [...a.slots, ...b.slots].sort();
});

/** Stands for SIGSTOP: nothing that waits goes on, time does. */
class FreezableClock implements Clock {
  #thawed: Promise<void> = Promise.resolve();
  #thaw: () => void = () => undefined;
  readonly #begun: number[] = [];

  now = () => systemClock.now();
  monotonic = () => systemClock.monotonic();
  after = systemClock.after;
  turn = systemClock.turn;

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.#begun.push(ms);
    await systemClock.sleep(ms, signal);
    await this.#thawed;
  }

  /** How many sleeps of this length were begun. */
  sleeps(ms: number): number {
    return this.#begun.filter((begun) => begun === ms).length;
  }

  freeze(): void {
    this.#thawed = new Promise((resolve) => {
      this.#thaw = resolve;
    });
  }

  thaw(): void {
    this.#thaw();
  }
}
