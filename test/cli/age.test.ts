import assert from 'node:assert/strict';
import { age } from '../../cli/age.ts';
import { before, now } from './stored.ts';

describe('age', () => {
  const cases: [number, string][] = [
    [0, '0s'],
    [8, '8s'],
    [119, '119s'],
    [120, '2m'],
    [192, '3m12s'],
    [600, '10m'],
    [3 * 3600, '3h'],
    [5 * 3600 + 1800, '5h30m'],
    [30 * 3600, '30h'],
    [12 * 86400, '12d'],
  ];
  for (const [seconds, text] of cases) {
    it(`says ${text} for ${seconds} seconds, as kubectl does`, () => assert.equal(age(before(seconds), now), text));
  }

  it('says nothing when the time is not known', () => assert.equal(age(undefined, now), ''));
});
