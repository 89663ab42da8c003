/** What a commit says of one writer. */
import { deepEqual } from 'node:assert/strict';
import type { CommitEntry } from '../../stream/commit-entry.ts';
import type { Chain } from '../../stream/frame-chain.ts';
import { takenOf, type Taken } from '../../stream/taken.ts';

const now = '2026-01-01T00:00:00Z';
const chain: Chain = { edge: now, decided: 0, since: 40, writers: { 'orders-0': [30, 7], 'orders-1': [0, null] } };

describe('what a reader has taken', () => {
  const commits: readonly [string, CommitEntry | undefined, string, Taken][] = [
    ['of a writer that is noted, the frame that is noted', commitOf(chain), 'orders-0', { upTo: 30, check: 7 }],
    ['of a writer that had no frame, nothing', commitOf(chain), 'orders-1', { upTo: 0, check: null }],
    ['T3: of a writer that is not noted, nothing, wherever it was registered', commitOf(chain), 'late-0', none()],
    ['T1: nothing of another stream', commitOf({ ...chain, edge: '2025-01-01T00:00:00Z' }), 'orders-0', none()],
    ['T2: by v0.1, all up to its position', commitOf(undefined), 'orders-0', { upTo: 50, check: null }],
    ['without a commit, nothing', undefined, 'orders-0', none()],
  ];
  for (const [what, entry, writer, taken] of commits)
    it(what, () => {
      deepEqual(takenOf(entry, now, writer), taken);
    });
});

function none(): Taken {
  return { upTo: 0, check: null };
}

function commitOf(of: Chain | undefined): CommitEntry {
  return { kind: 'commit', to: 50, ...(of === undefined ? {} : { chain: of }) };
}
