import assert from 'node:assert/strict';
import type { KubeObject } from '../../../kubernetes/objects.ts';
import { annotations, labels } from '../../../model/names.ts';
import { Copies } from '../../../workers/controller/copies.ts';
import { PipelineCache } from '../../../workers/controller/pipeline-cache.ts';

function secret(name: string, resourceVersion: string, namespace = 'shop'): KubeObject {
  return { metadata: { name, namespace, resourceVersion } };
}

function copy(sources: string): KubeObject {
  const metadata = { name: 'credentials', namespace: 'pipeline-x', resourceVersion: '9' };
  return {
    metadata: {
      ...metadata,
      labels: { [labels.pipelineUid]: 'u' },
      annotations: { [annotations.copiedFrom]: sources },
    },
  };
}

const pipeline = new PipelineCache().put({
  metadata: { name: 'orders', namespace: 'shop', uid: 'u' },
  spec: { sinks: [{ name: 'a', clickhouse: { password: '$(secret:ch/password)', database: '$(configMap:db/name)' } }] },
});

function copies(secrets: readonly KubeObject[]): Copies {
  const all = new Copies();
  all.replaceAll('ConfigMap', [secret('db', '5')]);
  all.replaceAll('Secret', secrets);
  return all;
}

const fresh = copy('{"Secret/ch":"7","ConfigMap/db":"5"}');

describe('copies of credentials', () => {
  it('is synced when both kinds were listed', () => {
    const all = new Copies();
    all.replaceAll('Secret', []);
    assert.equal(all.isSynced, false);
    all.replaceAll('ConfigMap', []);
    assert.equal(all.isSynced, true);
  });

  it('K1: equal versions are equal credentials', () => {
    assert.deepEqual(copies([secret('ch', '7'), fresh]).staleOf(pipeline), []);
  });

  it('K2: a version that changed while nobody watched is seen in the first list', () => {
    assert.deepEqual(copies([secret('ch', '8'), fresh]).staleOf(pipeline), ['Secret/ch']);
  });

  it('a Secret of the same name in another namespace is another Secret', () => {
    assert.deepEqual(copies([secret('ch', '7'), secret('ch', '8', 'other'), fresh]).staleOf(pipeline), []);
  });

  it('K3: a Secret that is gone does not count', () => {
    const all = copies([secret('ch', '7'), fresh]);
    all.remove('Secret', secret('ch', '7'));
    assert.deepEqual(all.staleOf(pipeline), []);
  });

  it('a copy that was deleted, or says nothing readable, is stale', () => {
    assert.deepEqual(copies([secret('ch', '7')]).staleOf(pipeline), ['ConfigMap/db', 'Secret/ch']);
    assert.deepEqual(copies([secret('ch', '7'), copy('?')]).staleOf(pipeline), ['ConfigMap/db', 'Secret/ch']);
  });
});
