import assert from 'node:assert/strict';
import { KeyedQueue } from '../../../workers/controller/keyed-queue.ts';
import { eventually } from '../../support/eventually.ts';

describe('keyed queue', () => {
  it('Q1: a key added while it runs runs once more, and never twice at once', async () => {
    let running = 0;
    let runs = 0;
    const gate = Promise.withResolvers<undefined>();
    const queue = new KeyedQueue({
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

  it('Q2: a failed key comes again after growing pauses, and success resets them', async () => {
    const pauses: number[] = [];
    let failures = 3;
    const queue = new KeyedQueue({
      minRetryMs: 1,
      random: () => 0.5,
      onError: (_key, _error, pause) => pauses.push(pause),
      work: async () => {
        if (failures-- > 0) throw new Error('not yet');
      },
    });
    queue.add('a');
    await eventually(() => failures === -1);
    assert.deepEqual(pauses, [1, 2, 4]);
    await queue.close();
  });
});
