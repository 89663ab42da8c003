import { equal } from 'node:assert/strict';
import { durationText, shortened } from '../../model/text.ts';

const durations: readonly (readonly [ms: number, text: string])[] = [
  [0, '0 s'],
  [1_499, '1 s'],
  [119_000, '119 s'],
  [120_000, '2 min'],
  [7_100_000, '118 min'],
  [7_180_000, '2 h'],
  [86_400_000, '24 h'],
];

describe('texts for people', () => {
  for (const [ms, text] of durations) it(`${ms} ms are ${text}`, () => equal(durationText(ms), text));

  it('what is too long is cut, and shows it', () => {
    equal(shortened('x'.repeat(400)), 'x'.repeat(400));
    equal(shortened('x'.repeat(401)), `${'x'.repeat(400)}…`);
  });
});
