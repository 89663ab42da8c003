import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Alarms } from '../../../workers/controller/alarms.ts';
import type { Deviation } from '../../../workers/controller/deviation.ts';
import { RepairPace } from '../../../workers/controller/repair-pace.ts';
import { WritePace } from '../../../workers/controller/write-pace.ts';

describe('pace of status writes', () => {
  /** Times of the writes of one who always has something to write, up to `untilMs`. */
  function eager(untilMs: number): number[] {
    const pace = new WritePace();
    const writes: number[] = [];
    for (let now = 0; now <= untilMs; now = Math.max(pace.nextAt(now), now + 1)) {
      if (pace.nextAt(now) > now) continue;
      pace.wrote(now);
      writes.push(now);
    }
    return writes;
  }

  it('W1: the first is written at once, and then one a second', () => {
    assert.deepEqual(eager(3_000), [0, 1_000, 2_000, 3_000]);
  });

  it('W1: after a burst it is one in ten seconds', () => {
    const writes = eager(120_000);
    assert(writes.length <= 10 + 12, String(writes.length));
    const late = writes.filter((at) => at > 60_000);
    for (const [index, at] of late.entries()) if (index > 0) assert(at - late[index - 1]! >= 10_000);
  });

  it('W1: who was quiet may write at once again', () => {
    const pace = new WritePace();
    for (let at = 0; at < 20; at++) pace.wrote(at);
    assert(pace.nextAt(20) > 20);
    assert.equal(pace.nextAt(1_000_000), 1_000_000);
  });

  it('W1: after a burst, what holds no longer is taken back within a second, and said again only when there is room', () => {
    const pace = new WritePace();
    for (let at = 0; at < 20; at++) pace.wrote(at);
    assert.equal(pace.nextTakingBackAt(), 1_019);
    pace.wrote(1_019);
    assert(pace.nextAt(2_019) >= 10_000, String(pace.nextAt(2_019)));
  });

  it('W2: whatever is to be written when, no window holds more than the burst and one in ten seconds', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 300 }), (gaps) => {
        const pace = new WritePace();
        const writes: number[] = [];
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          if (pace.nextAt(now) > now) continue;
          pace.wrote(now);
          writes.push(now);
        }
        for (const from of writes) {
          for (const ms of [1_000, 10_000, 60_000]) {
            const within = writes.filter((at) => at >= from && at < from + ms).length;
            assert(within <= Math.min(ms / 1_000, 10 + Math.ceil(ms / 10_000)), `${within} within ${ms} ms`);
          }
        }
      }),
    );
  });
});

describe('alarms', () => {
  it('tell a key once, when it is due, to the second', () => {
    const alarms = new Alarms(0);
    alarms.set('a', 2_500);
    alarms.set('b', 1_000);
    assert.deepEqual(alarms.take(999), []);
    assert.deepEqual(alarms.take(1_000), ['b']);
    assert.deepEqual(alarms.take(2_900), []);
    assert.deepEqual(alarms.take(3_000), ['a']);
    assert.deepEqual(alarms.take(100_000), []);
  });

  it('keep the last word, and forget', () => {
    const alarms = new Alarms(0);
    alarms.set('a', 1_000);
    alarms.set('a', 5_000);
    alarms.set('b', 1_000);
    alarms.set('b', undefined);
    alarms.set('c', 1_000);
    alarms.forget('c');
    assert.deepEqual(alarms.take(4_000), []);
    assert.deepEqual(alarms.take(5_000), ['a']);
  });

  it('tell what is overdue with the next look', () => {
    const alarms = new Alarms(10_000);
    alarms.set('a', 3_000);
    assert.deepEqual(alarms.take(11_000), ['a']);
  });

  it('tell each key exactly once, not before it is due and not later than a second after', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 100 }), (times) => {
        const alarms = new Alarms(0);
        times.forEach((at, index) => alarms.set(String(index), at));
        const told = new Map<string, number>();
        for (let now = 0; now <= 62_000; now += 500) {
          for (const key of alarms.take(now)) {
            assert(!told.has(key));
            told.set(key, now);
          }
        }
        times.forEach((at, index) => {
          const when = told.get(String(index)) ?? Number.NaN;
          assert(when >= at && when <= Math.max(at, 0) + 1_500, `${at} told at ${when}`);
        });
      }),
    );
  });
});

describe('pace of repairs', () => {
  const changed: Deviation = { is: 'drift', what: 'changed', isUrgent: false };
  const gone: Deviation = { is: 'drift', what: 'gone', isUrgent: true };

  it('Q1, Q2: some at once, the others in their order', () => {
    const pace = new RepairPace(2);
    const admitted = ['a', 'b', 'c', 'd'].filter((key) => pace.admit(key, changed, 1, 0));
    assert.deepEqual(admitted, ['a', 'b']);
    assert.deepEqual([pace.running, pace.waiting], [2, 2]);
    pace.observe('a', 2, false);
    assert.deepEqual(pace.next(), ['c']);
    assert.equal(pace.admit('d', changed, 1, 0), false, 'it is not its turn');
    assert.equal(pace.admit('c', changed, 1, 0), true);
  });

  it('Q2: what lacks something goes first', () => {
    const pace = new RepairPace(1);
    pace.admit('a', changed, 1, 0);
    pace.admit('b', changed, 1, 0);
    pace.admit('c', gone, 1, 0);
    pace.observe('a', 2, false);
    assert.deepEqual(pace.next(), ['c']);
    assert.equal(pace.admit('b', changed, 1, 0), false);
    assert.equal(pace.admit('c', gone, 1, 0), true);
  });

  it('Q2: one that comes to lack something while it waits moves to the front', () => {
    const pace = new RepairPace(1);
    pace.admit('a', changed, 1, 0);
    pace.admit('b', changed, 1, 0);
    pace.admit('c', changed, 1, 0);
    pace.admit('c', gone, 1, 0);
    pace.observe('a', 2, false);
    assert.deepEqual(pace.next(), ['c']);
    assert.equal(pace.waiting, 2);
  });

  it('Q3: a place is free when the operation has ended, not when it begins', () => {
    const pace = new RepairPace(1);
    pace.admit('a', changed, 1, 0);
    pace.admit('b', changed, 1, 0);
    pace.observe('a', 1, false);
    assert.deepEqual(pace.next(), []);
    pace.observe('a', 2, true);
    assert.deepEqual(pace.next(), []);
    pace.observe('a', 2, false);
    assert.deepEqual(pace.next(), ['b']);
  });

  it('Q3: a place is free when the pipeline is gone, or nothing has come of it for ten minutes', () => {
    const pace = new RepairPace(2);
    for (const key of ['a', 'b', 'c', 'd']) pace.admit(key, changed, 1, 0);
    pace.leave('a');
    pace.leave('d');
    assert.deepEqual(pace.next(), ['c']);
    pace.expire(599_999);
    assert.equal(pace.running, 1);
    pace.expire(600_000);
    assert.equal(pace.running, 0);
  });

  it('Q1: whoever deviates all at once, never more than the limit are put right, and all are in the end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 60 }), (limit, count) => {
        const pace = new RepairPace(limit);
        const keys = Array.from({ length: count }, (_, index) => `p${index}`);
        const repaired: string[] = [];
        let running = keys.filter((key, index) => pace.admit(key, index % 3 === 0 ? gone : changed, 1, 0));
        while (running.length > 0) {
          assert(pace.running <= limit);
          const [done, ...rest] = running;
          repaired.push(done!);
          pace.observe(done!, 2, false);
          const admitted = pace
            .next()
            .filter((key) => pace.admit(key, keys.indexOf(key) % 3 === 0 ? gone : changed, 1, 0));
          running = [...rest, ...admitted];
        }
        assert.deepEqual([...repaired].sort(), [...keys].sort());
      }),
    );
  });
});
