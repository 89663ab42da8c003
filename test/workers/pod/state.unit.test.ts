import assert from 'node:assert/strict';
import { mr, type MillraceError } from '../../../model/errors.ts';
import type { Waiter } from '../../../stream/slot-observer.ts';
import { PodMetrics } from '../../../workers/pod/metrics.ts';
import { PodState } from '../../../workers/pod/state.ts';
import { testPlan } from '../../stream/support/server.ts';

const full = mr('MR_EDGE_FULL', { edge: 'mr-orders-edge', bytes: 1 });
const away = mr('MR_STREAM_UNAVAILABLE', { server: 'nats', problem: 'no answer' });
const down = mr('MR_SINK_UNREACHABLE', { sink: 'warehouse', server: 'ch', problem: 'refused' });

describe('state of a pod', () => {
  let now: number;
  let state: PodState;
  let metrics: PodMetrics;

  beforeEach(() => {
    now = 1_000_000;
    metrics = new PodMetrics(
      {
        ...{
          stage: 'sink-warehouse',
          planFile: '',
          credentialsDir: '',
          nats: { url: '', accessDir: undefined },
          podName: 'pod',
          podIp: '',
        },
        ...{ httpPort: 0, logLevel: 'silent', stopGraceMs: 0 },
      },
      testPlan(),
    );
    state = new PodState(
      {
        ...{ pid: 'orders-abc123', stage: 'sink-warehouse', kind: 'sink', pod: 'pod', generation: 1 },
        ...{ name: 'warehouse', edge: 'orders-edge', slots: 2, patienceMs: 1_000 },
      },
      metrics,
      () => now,
      () => undefined,
    );
    state.started();
    state.connection(undefined);
    state.own(0);
  });

  const flow = () => {
    const { flow: told } = state.report();
    return [told.state, told.code, told.waitingOn].filter((word) => word !== undefined).join(' ');
  };
  const connection = () => {
    const { connection: told } = state.report();
    return [told.state, told.code].filter((word) => word !== undefined).join(' ');
  };

  it('dead letters are counted by code, for the report and as a metric', async () => {
    const { observer } = state.begin(0);
    observer.deadLettered(['MR_RECORD_MISFIT', 'MR_RECORD_NOT_JSON', 'MR_RECORD_MISFIT'].map((code) => ({ code })));
    assert.equal(state.report().deadLetters, 3);
    const { values } = await metrics.deadLetters.get();
    assert.deepEqual(
      values.map(({ labels, value }) => [labels.code, value]),
      [
        ['MR_RECORD_MISFIT', 2],
        ['MR_RECORD_NOT_JSON', 1],
      ],
    );
  });

  it('R1: an earlier run that speaks late changes nothing', () => {
    const earlier = state.begin(0);
    const later = state.begin(0);
    later.lagIs(() => 0);
    earlier.observer.waiting('reader', away);
    earlier.observer.connection(down);
    earlier.asking(true);
    now += 60_000;
    assert.equal(connection(), 'Connected');
    assert.equal(flow(), 'Idle');
  });

  it('R1: a run whose slot was given away and came back speaks to nobody', () => {
    const earlier = state.begin(0);
    state.disown(0);
    state.own(0);
    earlier.observer.connection(down);
    state.begin(0);
    assert.equal(connection(), 'Connected');
  });

  it('R2: a wait that was aborted with its run is not seen in the next one', () => {
    state.begin(0).observer.waiting('edge', away);
    now += 60_000;
    assert.equal(flow(), 'Waiting MR_STREAM_UNAVAILABLE nats');
    state.begin(0);
    assert.equal(flow(), 'Idle');
  });

  it('a part that goes on does not hide another that waits', () => {
    const { observer } = state.begin(0);
    observer.waiting('commits', away);
    observer.waiting('reader', away);
    observer.waiting('reader', undefined);
    now += 5_000;
    assert.equal(flow(), 'Waiting MR_STREAM_UNAVAILABLE nats');
    observer.waiting('commits', undefined);
    assert.equal(flow(), 'Idle');
  });

  it('an edge that was full, then away, then back is neither', () => {
    const { observer } = state.begin(0);
    observer.waiting('edge', full);
    now += 5_000;
    assert.equal(flow(), 'Waiting MR_EDGE_FULL edge orders-edge');
    observer.waiting('edge', away);
    now += 5_000;
    assert.equal(flow(), 'Waiting MR_STREAM_UNAVAILABLE nats');
    observer.waiting('edge', undefined);
    assert.equal(flow(), 'Idle');
  });

  it('full dead letters are named as such', () => {
    state.begin(0).observer.waiting('deadLetters', full);
    now += 5_000;
    assert.equal(flow(), 'Waiting MR_EDGE_FULL dead letters');
  });

  const pipeline = 'orders -n shop';
  const asked = mr('MR_POSITION_LOST', {
    who: 'Slot 1',
    position: 1,
    stream: 's',
    found: 'gone',
    pipeline,
    token: 'main.1',
    accepted: 'goes on',
    reread: 'reads again',
  });
  const sinkLost = mr('MR_SINK_POSITION_LOST', {
    ...{ sink: 'warehouse', slot: 1, stored: 1, committed: 9, problem: 'rows are gone', pipeline },
    token: 'sink-warehouse.1',
  });
  const deadLettersFull = mr('MR_DEAD_LETTERS_FULL', { bytes: 1 });
  const failed = mr('MR_SINK_FAILED', { sink: 'warehouse', server: 'ch', problem: 'odd' });
  const planMissing = mr('MR_NOT_REGISTERED', { who: 'Slot 1', edge: 'main' });
  type Trouble = (slot: number) => void;
  const wait =
    (waiter: Waiter, reason: MillraceError): Trouble =>
    (slot) =>
      state.begin(slot).observer.waiting(waiter, reason);
  /** From what is told before all others to what is told last. */
  const ranks: readonly (readonly [told: string, Trouble])[] = [
    ['Waiting MR_POSITION_LOST a decision', wait('reader', asked)],
    ['Waiting MR_NOT_REGISTERED the lifecycle', wait('commits', planMissing)],
    ['Waiting MR_STREAM_UNAVAILABLE nats', wait('commits', away)],
    ['Waiting MR_DEAD_LETTERS_FULL dead letters', wait('deadLetters', deadLettersFull)],
    ['Waiting MR_EDGE_FULL edge orders-edge', wait('edge', full)],
    ['Waiting MR_SINK_FAILED its next attempt', (slot) => state.failed(slot, failed)],
    ['Waiting MR_SINK_UNREACHABLE sink warehouse', (slot) => state.begin(slot).observer.connection(down)],
    ['Idle', (slot) => void state.begin(slot)],
  ];
  for (const [high, [told, first]] of ranks.entries()) {
    for (const [lower, second] of ranks.slice(high)) {
      it(`I14: of two slots, ${told} is told before ${lower}, whichever slot it is`, () => {
        for (const [one, other] of [
          [0, 1],
          [1, 0],
        ] as const) {
          state.own(0);
          state.own(1);
          second(other);
          now += 1_000;
          first(one);
          now += 60_000;
          assert.equal(flow(), told);
        }
      });
    }
  }

  it('I14: a part of a slot that waits for a decision is not hidden by one that has waited longer', () => {
    const { observer } = state.begin(0);
    observer.waiting('deadLetters', deadLettersFull);
    now += 60_000;
    observer.waiting('reader', asked);
    now += 60_000;
    assert.equal(flow(), 'Waiting MR_POSITION_LOST a decision');
  });

  for (const [how, trouble] of [
    ['a connection', (slot) => state.begin(slot).observer.connection(sinkLost)],
    ['a failure', (slot) => state.failed(slot, sinkLost)],
  ] as readonly (readonly [string, Trouble])[]) {
    it(`I14: a question to a person that comes as ${how} is told before all that needs none`, () => {
      state.own(1);
      wait('commits', away)(0);
      state.begin(0).observer.connection(down);
      trouble(1);
      now += 60_000;
      assert.match(flow(), /^Waiting MR_SINK_POSITION_LOST /);
      if (how === 'a connection') assert.equal(connection(), 'Disconnected MR_SINK_POSITION_LOST');
    });
  }

  it('short waits, one after the other, are a flow', () => {
    const { observer } = state.begin(0);
    for (let frame = 0; frame < 20; frame++) {
      observer.waiting('edge', full);
      now += 500;
      observer.waiting('edge', undefined);
      observer.handedOn(1);
    }
    observer.waiting('edge', full);
    now += 500;
    assert.equal(flow(), 'Flowing');
  });

  it('R3: a slot that fails each time it begins is not well in between, and is well when it gets on', () => {
    state.begin(0).observer.position(7);
    state.failed(0, away);
    const next = state.begin(0);
    next.observer.connection(undefined);
    next.observer.position(7);
    assert.equal(flow(), 'Waiting MR_STREAM_UNAVAILABLE its next attempt');
    next.observer.position(8);
    assert.equal(flow(), 'Idle');
  });

  const lost = mr('MR_EDGE_LOST', {
    ...{ stream: 'mr-orders-records', created: 'then', found: 'it is gone', pipeline: 'orders', token: 'records.lost' },
  });
  const unregistered = mr('MR_NOT_REGISTERED', { who: 'Writer orders-0', edge: 'records' });
  const labels: readonly (readonly [waiter: Waiter, reason: MillraceError, on: string])[] = [
    ['edge', full, 'edge'],
    ['edge', away, 'stream'],
    ['edge', lost, 'decision'],
    ['decision', lost, 'decision'],
    ['edge', unregistered, 'lifecycle'],
  ];
  for (const [waiter, reason, on] of labels) {
    it(`I14: the metric and whoever is asked name the true reason: ${waiter} waits for ${reason.code}`, async () => {
      state.own(1);
      state.begin(1).observer.waiting('commits', away);
      state.begin(0).observer.waiting(waiter, reason);
      const { values } = await metrics.waiting.get();
      assert.ok(values.some(({ labels: { on: told } }) => told === on));
      // What a person must decide comes before whatever else is waited for.
      if (on === 'decision') assert.equal(state.waitsFor(), reason);
      state.disown(1);
      assert.equal(state.waitsFor(), reason);
    });
  }

  it('I14: a slot that has failed waits because of that, until it gets on', () => {
    state.begin(0);
    state.failed(0, lost);
    assert.equal(state.waitsFor(), lost);
    state.begin(0).observer.position(1);
    state.begin(0).observer.position(2);
    assert.equal(state.waitsFor(), undefined);
  });

  it('I14: a write without an answer is a sink that is silent, until it answers', () => {
    const run = state.begin(0);
    run.asking(true);
    now += 9_000;
    assert.equal(connection(), 'Connected');
    now += 1_000;
    assert.equal(connection(), 'Disconnected MR_SINK_SILENT');
    assert.equal(flow(), 'Waiting MR_SINK_SILENT sink warehouse');
    run.asking(false);
    assert.equal(connection(), 'Connected');
  });

  it('I14: says since when something waits that does not move', () => {
    const run = state.begin(0);
    let lag = 0;
    run.lagIs(() => lag);
    now += 600_000;
    assert.equal(state.report().stillSince, undefined);
    const seen = now;
    lag = 3;
    now += 500;
    assert.equal(state.report().stillSince, undefined, 'a batch may fill');
    now += 4_000;
    assert.equal(state.report().stillSince, seen + 1_000);
    run.observer.position(1);
    run.observer.position(2);
    assert.equal(state.report().stillSince, undefined);
    now += 4_000;
    assert.equal(state.report().stillSince, now - 3_000);
    lag = 0;
    assert.equal(state.report().stillSince, undefined);
  });

  it('I10: knows no lag when one of its slots does not', () => {
    state.own(1);
    state.begin(0).lagIs(() => 0);
    assert.equal(state.report().lag, undefined);
    state.begin(1).lagIs(() => 2);
    assert.equal(state.report().lag, 2);
  });

  it('a report that says the same is the same, but for its time', () => {
    state.begin(0).lagIs(() => 0);
    const first = JSON.stringify(state.report());
    now += 10_000;
    const second = JSON.stringify(state.report());
    const length = first.lastIndexOf('"at":');
    assert.equal(first.slice(0, length), second.slice(0, length));
    assert.match(first.slice(length), /^"at":\d+\}$/);
  });
});
