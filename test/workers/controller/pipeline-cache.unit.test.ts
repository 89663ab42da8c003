import assert from 'node:assert/strict';
import { apiVersion, kind } from '../../../model/names.ts';
import { PipelineCache } from '../../../workers/controller/pipeline-cache.ts';
import { sightingOf, type Sighting } from '../../../workers/controller/pipeline-record.ts';

describe('pipelines as they were seen', () => {
  let cache: PipelineCache;
  beforeEach(() => (cache = new PipelineCache()));

  function sighting(uid: string, resourceVersion: string): Sighting {
    const metadata = { name: 'orders', namespace: 'shop', uid, generation: 1, resourceVersion };
    return sightingOf({ apiVersion, kind, metadata }, (key) => cache.get(key));
  }

  it('P1: the late answer to a write brings nobody back who is gone', () => {
    const { record } = cache.put(sighting('a', '1'));
    cache.remove(record);
    assert.equal(cache.answered(sighting('a', '2')), undefined);
    assert.equal(cache.size, 0);
  });

  it('P1: the late answer to a write does not displace another pipeline of the same name', () => {
    cache.put(sighting('a', '1'));
    cache.put(sighting('b', '3'));
    assert.equal(cache.answered(sighting('a', '2')), undefined);
    assert.equal(cache.get('shop/orders')?.ref.uid, 'b');
  });

  it('takes the answer to a write of a pipeline that is known, when it is news', () => {
    const { record } = cache.put(sighting('a', '2'));
    assert.equal(cache.answered(sighting('a', '3'))?.hasChanged, true);
    assert.equal(cache.answered(sighting('a', '1'))?.hasChanged, false);
    assert.equal(record.seen.resourceVersion, '3');
  });

  for (const [manager, isBelieved] of [
    ['kubectl-edit', false],
    ['millrace-status', true],
  ] as const)
    it(`${isBelieved ? 'believes' : 'does not believe'} ${manager} that an operation runs`, () => {
      const operation = { id: 'o', type: 'repair', step: 's', startedAt: '2026-01-01T00:00:00Z' };
      const fieldsV1 = { 'f:status': { 'f:operation': { 'f:id': {} } } };
      const managedFields = [{ manager, subresource: 'status', fieldsV1 }];
      const metadata = { name: 'orders', namespace: 'shop', uid: 'a', resourceVersion: '1', managedFields };
      const { seen } = sightingOf(
        { apiVersion, kind, metadata, status: { phase: 'Running', operation } },
        () => undefined,
      );
      assert.deepEqual(seen.status, { phase: 'Running', ...(isBelieved ? { operation } : {}) });
    });
});
