import assert from 'node:assert/strict';
import { parseShape } from '../../../connectors/postgres/shape.ts';

describe('the shape of a table, as it is stored with a position', () => {
  it('is read when it was stored before policies were known', () => {
    const stored = { version: 150_000, kind: 'r', persistence: 'p', columns: [], types: [], keys: [] };
    assert.equal(parseShape(JSON.stringify(stored))?.has_policies, false);
  });
});
