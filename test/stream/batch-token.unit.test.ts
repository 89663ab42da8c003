import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { headsIn, headsText, lastIn, ofEpoch, rangeIn, rangeText } from '../../stream/batch-token.ts';
import type { Heads } from '../../stream/frame-chain.ts';

describe('the end of a token', () => {
  const range = { from: 7, to: 11, check: 123_456 };
  const before = 'uid:epoch:sink-warehouse:0';

  it('names the range, its frames and the last of them', () => {
    const token = `${before}:${rangeText(range, 99)}`;
    deepEqual([rangeIn(token), lastIn(token), headsIn(token)], [range, 99, undefined]);
    equal(ofEpoch(token, 'uid:epoch.12'), token.replace('epoch', 'epoch.12'));
  });

  it('names no last frame where an earlier version wrote it, and no frames where v0.1 did', () => {
    const [earlier, first] = [`${before}:7-11:${range.check.toString(36)}`, `${before}:7-11`];
    deepEqual([rangeIn(earlier), lastIn(earlier)], [range, undefined]);
    deepEqual([rangeIn(first), lastIn(first)], [undefined, undefined]);
  });

  it('of a position that was set names the last frames of all writers, in whatever order', () => {
    const heads: Heads = { 'a-0': [5, 1], 'b-0': [6, 2], 'c-0': [0, null] };
    const set = `uid:epoch:set:6-11${headsText(heads)}`;
    deepEqual([rangeIn(set), lastIn(set), headsIn(set)], [undefined, undefined, headsText(heads)]);
    equal(headsText({ 'b-0': [6, 2], 'a-0': [5, 1] }), headsText(heads));
    notEqual(headsText({ ...heads, 'c-0': [7, 3] }), headsText(heads));
  });
});
