import assert from 'node:assert/strict';
import { systemClock } from '../../../stream/clock.ts';
import { KeyedQueue } from '../../../workers/controller/keyed-queue.ts';
import { eventually } from '../../support/eventually.ts';
import { HandClock } from '../../support/hand-clock.ts';

describe('keyed queue', () => {
  it('Q1: a key added while it runs runs once more, and never twice at once', async () => {
    let running = 0;
    let runs = 0;
    const gate = Promise.withResolvers<undefined>();
    const queue = new KeyedQueue({
      ...{ clock: systemClock, random: () => 0.5 },
      onError: () => assert.fail(),
      work: async () => {
        running += 1;
        assert.equal(running, 1);
        runs += 1;
        await gate.promise;
        running -= 1;
      },
    });
    queue.add('a');
    for (let i = 0; i < 5; i += 1) queue.add('a');
    gate.resolve(undefined);
    await eventually(() => runs === 2 && queue.depth === 0);
    await queue.close();
    assert.equal(runs, 2);
  });

  it('Q2: a failed key comes again after growing pauses, not before, and success resets them', async () => {
    const clock = new HandClock();
    const ran: number[] = [];
    let failures = 3;
    const queue = new KeyedQueue({
      ...{ clock, random: () => 0.5, minRetryMs: 1_000, maxRetryMs: 3_000 },
      onError: () => undefined,
      work: async () => {
        ran.push(clock.now());
        if (failures-- > 0) throw new Error('not yet');
      },
    });
    const begin = clock.now();
    queue.add('a');
    await clock.advance(60_000);
    assert.deepEqual(
      ran.map((at) => at - begin),
      [0, 1_000, 3_000, 6_000],
    );
    failures = 1;
    queue.add('a');
    await clock.advance(60_000);
    assert.deepEqual(
      ran.slice(4).map((at) => at - begin),
      [60_000, 61_000],
    );
    await queue.close();
  });

  it('Q2: a key that is forgotten, and all when the queue is closed, come no more', async () => {
    const clock = new HandClock();
    let runs = 0;
    const queue = new KeyedQueue({
      ...{ clock, random: () => 0.5 },
      onError: () => undefined,
      work: async () => {
        runs += 1;
        throw new Error('never');
      },
    });
    queue.add('a');
    queue.add('b');
    await clock.advance(0);
    queue.forget('a');
    await clock.advance(1_000);
    assert.equal(runs, 3);
    await queue.close();
    await clock.advance(600_000);
    assert.equal(runs, 3);
  });
});
