import { deepEqual, equal } from 'node:assert/strict';
import type { Certificate, Kept, Leaf } from '../../../../workers/controller/webhook/certificates/kept.ts';
import {
  authorityLifeMs,
  backdateMs,
  leafLifeMs,
  renewalOf,
} from '../../../../workers/controller/webhook/certificates/renewal.ts';

const day = 86_400_000;
const start = Date.parse('2026-01-01T00:00:00Z');

const authority = (name: string, madeAt = start): Certificate => ({
  ...{ pem: name, fingerprint: name, from: madeAt - backdateMs, until: madeAt + authorityLifeMs },
});
const leaf = (issuer: string | undefined, madeAt = start): Leaf => ({
  ...{ pem: 'leaf', fingerprint: 'leaf', key: 'key', isForAll: true, issuer },
  ...{ from: madeAt - backdateMs, until: madeAt + leafLifeMs },
});
const kept = (change: Partial<Kept> = {}): Kept => ({
  ...{ authorities: [authority('a')], signingKey: 'key', leaf: leaf('a') },
  ...change,
});

/** `authority leaf`, and what is kept. */
function renewed(now: number, state: Kept, told: readonly string[] = ['a']): string {
  const { makeAuthority, makeLeaf, keep } = renewalOf({ now, kept: state, told: new Set(told) });
  const made = [...(makeAuthority ? ['authority'] : []), ...(makeLeaf ? ['leaf'] : [])];
  return `${made.join('+') || 'nothing'} beside ${keep.map(({ fingerprint }) => fingerprint).join() || 'none'}`;
}

describe('the renewal of certificates', () => {
  it('begins with both', () => {
    equal(renewed(start, { authorities: [], signingKey: undefined, leaf: undefined }), 'authority+leaf beside none');
  });

  it('R1: makes another leaf at two thirds of its life', () => {
    equal(renewed(start + 19 * day, kept()), 'nothing beside a');
    equal(renewed(start + 20 * day, kept()), 'leaf beside a');
  });

  it('R1: makes another authority at two thirds of its life, and goes on with the leaf', () => {
    const state = kept({ leaf: leaf('a', start + 240 * day) });
    equal(renewed(start + 243 * day, state), 'nothing beside a');
    equal(renewed(start + 244 * day, state), 'authority beside a');
  });

  it('R2: signs by a new authority only when the API servers were told, a minute ago at least', () => {
    const state = kept({ authorities: [authority('a'), authority('b', start + 20 * day)] });
    equal(renewed(start + 21 * day, state, ['a']), 'nothing beside a,b');
    equal(renewed(start + 20 * day + 59_000, state, ['a', 'b']), 'nothing beside a,b');
    equal(renewed(start + 20 * day + 60_000, state, ['a', 'b']), 'leaf beside a,b');
    // Without a configuration nobody has to be told.
    deepEqual(renewalOf({ now: start + 21 * day, kept: state, told: undefined }).makeLeaf, true);
  });

  it('R3: forgets an authority an hour after the last leaf that it has signed', () => {
    const state = kept({ authorities: [authority('a'), authority('b')], leaf: leaf('b', start + day) });
    equal(renewed(start + day, state, ['a', 'b']), 'nothing beside a,b');
    equal(renewed(start + day + 3_600_000, state, ['a', 'b']), 'nothing beside b');
    const isUsed = kept({ authorities: [authority('a'), authority('b')] });
    equal(renewed(start + day, isUsed, ['a', 'b']), 'nothing beside a,b');
  });

  for (const [what, state] of [
    ['has expired', { leaf: leaf('a', start - 31 * day) }],
    ['is for other names', { leaf: { ...leaf('a'), isForAll: false } }],
    ['is of an authority that is not kept', { leaf: leaf(undefined) }],
    ['is not there', { leaf: undefined }],
  ] as const)
    it(`R4: makes a leaf at once when the old one ${what}, whatever was told`, () => {
      equal(renewed(start, kept(state), []), 'leaf beside a');
    });

  it('R4: replaces an authority whose key is lost, and keeps it for the leaf', () => {
    equal(renewed(start, kept({ signingKey: undefined })), 'authority beside a');
  });

  it('drops an authority that has expired', () => {
    equal(renewed(start + 400 * day, kept()), 'authority+leaf beside none');
  });
});
