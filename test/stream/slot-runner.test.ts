import assert from 'node:assert/strict';
import { mr } from '../../model/errors.ts';
import { leaseSubject } from '../../model/names.ts';
import { systemClock } from '../../stream/clock.ts';
import type { Streams } from '../../stream/connection.ts';
import type { SlotEnd, SlotSignals } from '../../stream/slot-observer.ts';
import { SlotRunner } from '../../stream/slot-runner.ts';
import { ensurePipelineStreams, ensureSharedStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { startTestServer, testPlan, type TestServer } from './support/server.ts';

describe('slot runner', () => {
  let server: TestServer;
  let streams: Streams;
  const runners: SlotRunner[] = [];

  before(async () => {
    server = await startTestServer();
    streams = await server.connect();
    await ensureSharedStreams(streams);
  });
  afterEach(async () => {
    await Promise.all(runners.splice(0).map((runner) => runner.stop(0)));
  });
  after(() => server.stop());

  it('N1: a slot that is lost and taken again runs only when the run before has ended, however long that takes', async () => {
    const { pid, stage } = await newStage();
    const begun = { runs: 0, atOnce: 0 };
    let end = () => {};
    const held = new Promise<void>((resolve) => (end = resolve));
    const owned: boolean[] = [];
    const work = async ({ stop }: SlotSignals, slot: number) => {
      if (slot !== 0) return aborted(stop);
      begun.runs++;
      begun.atOnce++;
      await (begun.runs === 1 ? held : aborted(stop));
      begun.atOnce--;
    };
    runner({ pid, stage }, 'a', streams, work, undefined, (slot, isOwned) => {
      if (slot === 0) owned.push(isOwned);
    });
    try {
      await eventually(() => begun.runs === 1);
      const subject = leaseSubject(pid, stage, 0);
      await streams.publish(subject, JSON.stringify({ pod: 'b', run: 'b' }), { ttlSeconds: 1 });
      await eventually(() => owned.at(-1) === false);
      await eventually(() => owned.at(-1) === true);
      assert.deepEqual(begun, { runs: 1, atOnce: 1 });
    } finally {
      end();
    }
    await eventually(() => begun.runs === 2);
    assert.equal(begun.atOnce, 1);
  });

  it('N2: a slot that is acquired while the pod stops is told to stop, and its lease is free afterwards', async () => {
    const stage = await newStage();
    const hung = holdPublishes(streams, (subject) => /\.[0-3]$/.test(subject));
    const stopping = runner(stage, 'a', hung.streams);
    await eventually(() => hung.held === 4);
    const stopped = stopping.runner.stop(1_000);
    hung.release();
    await stopped;
    assert.deepEqual(stopping.atWork, new Set());
    // Within less than the time in which a lease that nobody released would have expired.
    const next = runner(stage, 'b');
    await eventually(() => next.atWork.size === 4);
  });

  it('N2: a slot that does not finish in time when it is given away is aborted, when the pod stops and before', async () => {
    const stage = await newStage();
    const slow = runner(stage, 'a', streams, ({ abort }) => aborted(abort));
    await eventually(() => slow.atWork.size === 4);
    await slow.runner.stop(50);
    assert.deepEqual(slow.atWork, new Set());
  });

  it('a slot is free for other pods as soon as its own loop has ended, whatever the others do', async () => {
    const stage = await newStage();
    const leaving = runner(stage, 'a', streams, ({ stop, abort }, slot) => aborted(slot === 0 ? abort : stop));
    await eventually(() => leaving.atWork.size === 4);
    const stopped = leaving.runner.stop(60_000);
    const next = runner(stage, 'b');
    await eventually(() => next.atWork.size === 3);
    leaving.abort();
    await stopped;
    await eventually(() => next.atWork.size === 4);
  });

  it('N3: what a new start puts right is not told as long as records are taken between', async () => {
    const error = mr('MR_SINK_TABLE_CHANGED', { table: 'public.orders', sink: 'w' });
    const failing = await fails(error, { takes: true, until: ({ runs }) => runs === 8 });
    await eventually(() => failing.runs === 8);
    assert.deepEqual(failing.told, []);
  });

  it('N3: what a new start puts right is told when it comes back several times in a row, and what it does not is told at once', async () => {
    for (const [error, runsUntilTold] of [
      [mr('MR_SINK_TABLE_CHANGED', { table: 'public.orders', sink: 'w' }), 4],
      [mr('MR_SINK_TABLE_MISSING', { table: 'public.orders', sink: 'w', server: 'pg:5432' }), 1],
    ] as const) {
      const failing = await fails(error, { takes: false, until: ({ told }) => told.length > 0 });
      await eventually(() => failing.told.length > 0);
      assert.deepEqual([failing.runs, failing.told], [runsUntilTold, [error]]);
    }
  });

  interface Failing {
    runs: number;
    readonly told: unknown[];
  }

  /** Slot 0 of a stage fails in each run, after it has taken records or not. */
  async function fails(error: Error, how: { readonly takes: boolean; readonly until: (failing: Failing) => boolean }) {
    const failing: Failing = { runs: 0, told: [] };
    const work = async ({ stop }: SlotSignals, slot: number, gotOn: () => void) => {
      if (slot !== 0 || how.until(failing)) return aborted(stop);
      failing.runs++;
      if (how.takes) gotOn();
      throw error;
    };
    runner(await newStage(), 'a', streams, work, (slot, why) => {
      if (slot === 0) failing.told.push(why);
    });
    return failing;
  }

  async function newStage() {
    const plan = testPlan();
    await ensurePipelineStreams(streams, plan);
    return { pid: plan.pipeline.pid, stage: 'sink-warehouse' };
  }

  function runner(
    of: { readonly pid: string; readonly stage: string },
    pod: string,
    over = streams,
    until: (signals: SlotSignals, slot: number, gotOn: () => void) => Promise<void> = ({ stop }) => aborted(stop),
    onFailure: (slot: number | undefined, error: unknown) => void = () => undefined,
    onOwned: (slot: number, isOwned: boolean) => void = () => undefined,
  ) {
    const atWork = new Set<number>();
    const own = new AbortController();
    const made = new SlotRunner({
      ...of,
      streams: over,
      pod,
      run: pod,
      slots: 4,
      clock: systemClock,
      random: Math.random,
      work: async (slot, signals, gotOn): Promise<SlotEnd> => {
        atWork.add(slot);
        await Promise.race([until(signals, slot, gotOn), aborted(own.signal)]);
        atWork.delete(slot);
        return 'stopped';
      },
      onOwned,
      onFailure,
      ttlMs: 6_000,
      renewMs: 300,
    });
    made.start();
    runners.push(made);
    return { runner: made, atWork, abort: () => own.abort() };
  }
});

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Keeps publishes on these subjects back until they are released. */
function holdPublishes(streams: Streams, on: (subject: string) => boolean) {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const state = { held: 0 };
  const publish: Streams['publish'] = async (...args) => {
    if (on(args[0])) {
      state.held++;
      await released;
    }
    return streams.publish(...args);
  };
  return {
    streams: { ...streams, publish },
    release: () => release(),
    get held() {
      return state.held;
    },
  };
}
