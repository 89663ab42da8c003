import assert from 'node:assert/strict';
import type { KubeObject } from '../../../kubernetes/objects.ts';
import { annotations, labels } from '../../../model/names.ts';
import { copyOf, freshnessOf, isCopied, pairOf, type Copy } from '../../../workers/controller/copies.ts';
import { PipelineRecord, sightingOf } from '../../../workers/controller/pipeline-record.ts';
import type { Source, Version } from '../../../workers/controller/referenced.ts';

function copied(sources: string): KubeObject {
  const metadata = { name: 'credentials', namespace: 'pipeline-x', resourceVersion: '9' };
  return {
    metadata: {
      ...metadata,
      labels: { [labels.pipelineUid]: 'u' },
      annotations: { [annotations.copiedFrom]: sources },
    },
  };
}

function pipeline(): PipelineRecord {
  const clickhouse = {
    password: '$(secret:ch/password)',
    username: '$(secret:ch/user)',
    database: '$(configMap:db/name)',
  };
  const metadata = { name: 'orders', namespace: 'shop', uid: 'u' };
  return new PipelineRecord(sightingOf({ metadata, spec: { sinks: [{ name: 'a', clickhouse }] } }, () => undefined));
}

const fresh = copyOf(copied('{"Secret/ch":"7","ConfigMap/db":"5"}'));

/** Versions by `Secret/shop/ch`; what is not named is absent. */
function versions(some: Record<string, string>): (source: Source) => Version {
  return ({ kind, namespace, name }) => {
    const version = some[`${kind}/${namespace}/${name}`];
    return version === undefined ? { is: 'absent' } : { is: 'there', version };
  };
}

function freshness(some: Record<string, string>, copy: Copy | undefined = fresh, record = pipeline()): string {
  const found = freshnessOf(record, copy, versions(some));
  switch (found.is) {
    case 'fresh':
      return 'fresh';
    case 'stale':
      return `stale ${found.sources.join(' ')}`;
    case 'unclear':
      return `unclear ${found.sources.map(({ kind, name }) => `${kind}/${name}`).join(' ')}`;
  }
}

describe('copies of credentials', () => {
  it('K1: equal versions are equal credentials', () => {
    assert.equal(freshness({ 'Secret/shop/ch': '7', 'ConfigMap/shop/db': '5' }), 'fresh');
  });

  it('K4: another version is a question, asked once for each object', () => {
    assert.equal(freshness({ 'Secret/shop/ch': '8', 'ConfigMap/shop/db': '5' }), 'unclear Secret/ch');
  });

  it('K4: values that were found equal start nothing, until the version changes again', () => {
    const record = pipeline();
    const source: Source = { kind: 'Secret', namespace: 'shop', name: 'ch' };
    assert.ok(fresh);
    record.compared.set(pairOf(source, '8', fresh), true);
    assert.equal(freshness({ 'Secret/shop/ch': '8', 'ConfigMap/shop/db': '5' }, fresh, record), 'fresh');
    assert.equal(freshness({ 'Secret/shop/ch': '9', 'ConfigMap/shop/db': '5' }, fresh, record), 'unclear Secret/ch');
    record.compared.set(pairOf(source, '9', fresh), false);
    assert.equal(freshness({ 'Secret/shop/ch': '9', 'ConfigMap/shop/db': '5' }, fresh, record), 'stale Secret/ch');
  });

  it('a Secret of the same name in another namespace is another Secret', () => {
    assert.equal(freshness({ 'Secret/other/ch': '8', 'Secret/shop/ch': '7', 'ConfigMap/shop/db': '5' }), 'fresh');
  });

  it('K5: what the copy was made from counts also when the newest spec, which is refused, does not refer to it', () => {
    const copy = copyOf(copied('{"Secret/ch":"7","ConfigMap/db":"5","Secret/old":"3"}'));
    const some = { 'Secret/shop/ch': '7', 'ConfigMap/shop/db': '5' };
    assert.equal(freshness({ ...some, 'Secret/shop/old': '3' }, copy), 'fresh');
    assert.equal(freshness({ ...some, 'Secret/shop/old': '4' }, copy), 'unclear Secret/old');
    assert.equal(freshness(some, copy), 'fresh');
  });

  it('K3: a Secret that is gone does not count', () => {
    assert.equal(freshness({ 'ConfigMap/shop/db': '5' }), 'fresh');
  });

  it('nothing is concluded before everything was listed', () => {
    const some = versions({ 'Secret/shop/ch': '8' });
    const partly = (source: Source): Version => (source.kind === 'ConfigMap' ? { is: 'unknown' } : some(source));
    assert.deepEqual(freshnessOf(pipeline(), fresh, partly), { is: 'fresh' });
  });

  it('a copy that was deleted is stale', () => {
    const record = pipeline();
    const found = freshnessOf(record, undefined, versions({ 'Secret/shop/ch': '7', 'ConfigMap/shop/db': '5' }));
    assert.deepEqual(found, { is: 'stale', sources: ['ConfigMap/db', 'Secret/ch'] });
  });

  it('a copy that says nothing readable of its sources is compared', () => {
    const odd = copyOf(copied('?'));
    assert.equal(freshness({ 'Secret/shop/ch': '7', 'ConfigMap/shop/db': '5' }, odd), 'unclear Secret/ch ConfigMap/db');
  });

  describe('values', () => {
    const source: Source = { kind: 'Secret', namespace: 'shop', name: 'ch' };
    const encoded = (values: Record<string, string>) =>
      Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
    const isSame = (now: Record<string, string>, copiedValues: Record<string, string>) => {
      const get = (_: string, name: string): Promise<KubeObject> =>
        Promise.resolve({ metadata: { name }, data: encoded(name === 'ch' ? now : copiedValues) });
      assert.ok(fresh);
      return isCopied({ get }, fresh, source);
    };

    it('K4: that differ from what was copied do', async () => {
      const copiedValues = { 'secret.ch.password': 'a', 'secret.ch.user': 'u' };
      assert.equal(await isSame({ password: 'a', user: 'u' }, copiedValues), true);
      assert.equal(await isSame({ password: 'b', user: 'u' }, copiedValues), false);
    });

    it('K5: that the spec in force refers to, and the newest, which is refused, does not, differ as well', async () => {
      const old: Source = { kind: 'Secret', namespace: 'shop', name: 'old' };
      const get = (_: string, name: string): Promise<KubeObject> =>
        Promise.resolve({
          metadata: { name },
          data: encoded(name === 'old' ? { token: 'b' } : { 'secret.old.token': 'a' }),
        });
      assert.ok(fresh);
      assert.equal(await isCopied({ get }, fresh, old), false);
    });

    it('K3: one that is missing says nothing of the others of the same Secret', async () => {
      const copiedValues = { 'secret.ch.password': 'a', 'secret.ch.gone': 'x' };
      assert.equal(await isSame({ password: 'a' }, copiedValues), true);
      assert.equal(await isSame({ password: 'b' }, copiedValues), false);
    });

    it('K5: that were never copied, because their spec is refused, do not', async () => {
      assert.equal(await isSame({ password: 'a', user: 'u' }, { 'secret.ch.password': 'a' }), true);
      assert.equal(await isSame({ password: 'b', user: 'u' }, { 'secret.ch.password': 'a' }), false);
      assert.equal(await isSame({ password: 'b', user: 'u' }, { 'secret.other.password': 'x' }), true);
    });
  });
});
