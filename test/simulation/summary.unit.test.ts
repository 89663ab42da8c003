import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { added, lineOf, nothing, readSummary, writeSummary } from './summary.ts';

const found = { seed: '7', events: 10, records: 3, mishaps: 1, virtualMs: 3_600_000 };

describe('summary of the simulation', () => {
  it('U1: adds up over calls, and counts a seed that fails again once as a failure', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-summary-'));
    try {
      const file = join(folder, 'summary.json');
      for (let call = 0; call < 2; call++) {
        const before = readSummary(file);
        writeSummary(file, added(added(before, { ...found, violation: 'I2: twice' }), { ...found, seed: '8' }));
      }
      assert.equal(
        lineOf(readSummary(file)),
        '4 runs, 40 events, 12 records, 4 mishaps, 4.0 h of model time: 1 failed',
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('does not take a file that is something else for an empty one', () => {
    assert.throws(() => readSummary(import.meta.filename));
    assert.equal(readSummary(join(import.meta.dirname, 'there-is-none.json')), nothing);
  });
});
