import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mutations } from './mutations.ts';

describe('mutations of the simulation', () => {
  for (const { guard, without, file, from } of mutations) {
    it(`${guard} without ${without}: its text is in ${file} once`, () => {
      const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
      assert.equal(text.split(from).length - 1, 1);
    });
  }
});
