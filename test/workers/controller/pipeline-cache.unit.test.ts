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
});
