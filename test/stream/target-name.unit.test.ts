import { deepEqual, equal } from 'node:assert/strict';
import { isSameTarget, ofTarget, targetName } from '../../stream/target-name.ts';

/** Hides one value, as a pod hides those of its Secrets. */
const hiding = (value: string, reference: string) => (text: string) => text.replaceAll(value, `$(secret:${reference})`);
const nothing = (text: string) => text;

const here = 'db-1.internal:5432/shop.public';
const moved = 'db-2.internal:5432/shop.public';
const named = targetName(here, hiding('db-1.internal', 'pg/host'));

describe('the name of a target', () => {
  it('is its address where nothing is hidden', () => {
    equal(targetName(here, nothing), here);
  });

  it('has the reference for what is hidden, and nothing of its value', () => {
    equal(named.replace(/[0-9a-f]{16}$/, '…'), '$(secret:pg/host):5432/shop.public #…');
  });

  for (const [what, other, isSame] of [
    ['the address itself, as in entries of before', here, true],
    ['the same value under another reference', targetName(here, hiding('db-1.internal', 'db/address')), true],
    ['the same address with something else hidden', targetName(here, hiding('shop', 'pg/password')), true],
    ['another value under the same reference', targetName(moved, hiding('db-2.internal', 'pg/host')), false],
    ['another address', moved, false],
    ['another schema', targetName('db-1.internal:5432/shop.own', hiding('db-1.internal', 'pg/host')), false],
    ['what people read of it alone', '$(secret:pg/host):5432/shop.public', false],
  ] as const) {
    it(`G1: is ${isSame ? '' : 'not '}of the same target as ${what}`, () => {
      deepEqual([isSameTarget(named, other), isSameTarget(other, named)], [isSame, isSame]);
    });
  }

  it('G2: finds what was noted under the address', () => {
    deepEqual([ofTarget({ [moved]: 1, [here]: 7 }, named), ofTarget({ [moved]: 1 }, named)], [7, undefined]);
  });
});
