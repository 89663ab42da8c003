import { equal } from 'node:assert/strict';
import { closest } from '../../model/closest.ts';

describe('the word that was meant', () => {
  const known = ['topic', 'brokers', 'startFrom'];
  for (const [written, meant] of [
    ['topik', 'topic'],
    ['tpoic', 'topic'],
    ['broker', 'brokers'],
    ['startfrom', 'startFrom'],
    ['zzz', undefined],
    ['', undefined],
  ] as const) {
    it(`is ${meant ?? 'not guessed'} for "${written}"`, () => equal(closest(written, known), meant));
  }
});
