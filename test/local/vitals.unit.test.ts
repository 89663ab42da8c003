import { strictEqual } from 'node:assert/strict';
import { hasWorked, millisecondsOfPsTime } from '../../local/vitals.ts';

describe('the signs of life of a process', () => {
  for (const [text, expected] of [
    ['0:00.07', 70],
    ['1:02.35', 62_350],
    ['01:02:03', 3_723_000],
    ['2-01:02:03', 176_523_000],
  ] as const) {
    it(`reads ${text} as ps writes it`, () => strictEqual(millisecondsOfPsTime(text), expected));
  }

  it('CPU time or a longer log is work, and nothing else is', () => {
    const before = { cpuMs: 10, logBytes: 5 };
    strictEqual(hasWorked(before, before), false);
    strictEqual(hasWorked(before, { cpuMs: 20, logBytes: 5 }), true);
    strictEqual(hasWorked(before, { cpuMs: 10, logBytes: 6 }), true);
  });
});
