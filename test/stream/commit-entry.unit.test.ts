import assert from 'node:assert/strict';
import { committedPosition, decodeCommitEntry } from '../../stream/commit-entry.ts';

const place = { stream: 'mr-p-commits', sequence: 1 };
const bytes = (entry: object) => Buffer.from(JSON.stringify(entry));

describe('commit entries', () => {
  it('of v0.1 are read as they are', () => {
    const intent = { kind: 'intent', from: 5, to: 9, after: 4, token: 't', rows: 12 };
    assert.deepEqual(decodeCommitEntry(bytes(intent), place), intent);
    assert.equal(committedPosition(bytes(intent), place), 4);
    assert.equal(committedPosition(bytes({ kind: 'commit', to: 9 }), place), 9);
  });

  it('C2: what is written and not committed does not count as committed', () => {
    const written = {
      kind: 'written',
      from: 5,
      to: 9,
      after: 4,
      token: 't',
      rows: 12,
      failed: { records: '', problems: [] },
    };
    assert.equal(committedPosition(bytes(written), place), 4);
  });

  it('that cannot be read name their place', () => {
    assert.throws(
      () => decodeCommitEntry(bytes({ kind: 'other' }), place),
      /MR_FRAME_CORRUPT: Frame 1 of mr-p-commits/,
    );
  });
});
