import { deepEqual, equal } from 'node:assert/strict';
import { RateLimit, senderOf } from '../../../workers/api/rate-limit.ts';
import { Remembered } from '../../../workers/api/identity/remembered.ts';

describe('the rate of a sender', () => {
  it('is some at once, then so many a second, and the others are not touched', () => {
    let now = 0;
    const limit = new RateLimit({ perSecond: 2, burst: 3 }, () => now);
    const taken = (sender: string, count: number) => Array.from({ length: count }, () => limit.take(sender));
    deepEqual(taken('a', 5), [true, true, true, false, false]);
    deepEqual(taken('b', 3), [true, true, true]);
    now += 499;
    deepEqual(taken('a', 1), [false]);
    now += 1;
    deepEqual(taken('a', 2), [true, false]);
    now += 60_000;
    deepEqual(taken('a', 4), [true, true, true, false]);
  });

  it('is that of an address, and of IPv6 that of its /64', () => {
    const table = [
      ['10.0.0.1', '10.0.0.1'],
      ['::ffff:10.0.0.1', '10.0.0.1'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
      ['2001:db8:1:2::6', '2001:db8:1:2'],
      ['2001:db8::6', '2001:db8:0:0'],
      ['::1', '0:0:0:0'],
    ] as const;
    for (const [address, sender] of table) equal(senderOf(address), sender, address);
  });
});

describe('an answer that holds for a moment', () => {
  it('K2: is asked for once, however many wait for it, and again when its time is over', async () => {
    let now = 0;
    let asked = 0;
    const known = new Remembered<{ at: number }>({ ttlOf: () => 10, now: () => now });
    const ask = () => known.get('a', () => Promise.resolve({ at: ++asked }));
    deepEqual(await Promise.all([ask(), ask()]), [{ at: 1 }, { at: 1 }]);
    now = 9;
    deepEqual(await ask(), { at: 1 });
    now = 11;
    deepEqual(await ask(), { at: 2 });
  });

  it('K3: is none when it has failed', async () => {
    const known = new Remembered<object>({ ttlOf: () => 10, now: () => 0 });
    const outcomes = [() => Promise.reject(new Error('no')), () => Promise.resolve({})];
    const results = [];
    for (const outcome of outcomes) results.push((await Promise.allSettled([known.get('a', outcome)]))[0].status);
    deepEqual(results, ['rejected', 'fulfilled']);
  });

  it('K4: has aged on its way', async () => {
    let now = 0;
    let asked = 0;
    const known = new Remembered<object>({ ttlOf: () => 10, now: () => now });
    const ask = (tookMs: number) =>
      known.get('a', async () => {
        asked++;
        now += tookMs;
        return {};
      });
    await ask(10);
    await ask(6);
    now += 3;
    await ask(0);
    equal(asked, 2);
    now += 2;
    await ask(0);
    equal(asked, 3);
  });

  it('K1: makes room for others', async () => {
    let asked = 0;
    const known = new Remembered<object>({ ttlOf: () => 1_000, now: () => 0, most: 2 });
    const ask = (key: string) => known.get(key, () => Promise.resolve({ at: ++asked }));
    for (const key of ['a', 'b', 'c', 'a']) await ask(key);
    equal(asked, 4);
  });
});
