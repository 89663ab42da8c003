import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyFenced } from '../../../activities/kubernetes/fenced.ts';
import { KubeError } from '../../../kubernetes/kube-error.ts';
import { connectKube, type Kube } from '../../../kubernetes/kube.ts';
import type { KubeObject, Manifest } from '../../../kubernetes/objects.ts';
import { watchObjects } from '../../../kubernetes/watch.ts';
import { annotations, labels } from '../../../model/names.ts';
import { MillraceError } from '../../../model/errors.ts';
import { startKubernetes, type Kubernetes } from '../../../local/parts/kubernetes.ts';
import { eventually } from '../../support/eventually.ts';

describe('the Kubernetes client on a real API server', function () {
  this.timeout(60_000);
  let kubernetes: Kubernetes;
  let kube: Kube;
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-kube-'));
    kubernetes = await startKubernetes({ dir, unsafeNoFsync: true, controllers: false });
    kube = connectKube(kubernetes.kubeconfigPath);
  });
  after(async () => {
    kube.close();
    await kubernetes.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const owned = (name: string, uid: string, seq: number): Manifest => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'default',
      labels: { [labels.pipelineUid]: uid },
      annotations: { [annotations.opSeq]: String(seq) },
    },
    data: { key: 'value' },
  });
  const code = (wanted: string) => (error: unknown) => error instanceof MillraceError && error.code === wanted;

  it('applying twice is applying once', async () => {
    const first = await applyFenced(kube, owned('twice', 'a', 1), { uid: 'a', seq: 1 });
    const second = await applyFenced(kube, owned('twice', 'a', 1), { uid: 'a', seq: 1 });
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
  });

  it('F1: an older operation is refused', async () => {
    await applyFenced(kube, owned('fence', 'a', 2), { uid: 'a', seq: 2 });
    await assert.rejects(applyFenced(kube, owned('fence', 'a', 1), { uid: 'a', seq: 1 }), code('MR_OPERATION_FENCED'));
  });

  it('F2: what belongs to another pipeline is not taken over', async () => {
    await applyFenced(kube, owned('other', 'a', 1), { uid: 'a', seq: 1 });
    await assert.rejects(
      applyFenced(kube, owned('other', 'b', 9), { uid: 'b', seq: 9 }),
      code('MR_KUBERNETES_REFUSED'),
    );
  });

  it('deleting what is gone, or has another uid, is no error', async () => {
    assert.equal(await kube.delete('ConfigMap', 'never', 'default'), false);
    await applyFenced(kube, owned('kept', 'a', 1), { uid: 'a', seq: 1 });
    assert.equal(await kube.delete('ConfigMap', 'kept', 'default', { uid: 'not this one' }), false);
    assert.ok(await kube.get('ConfigMap', 'kept', 'default'));
  });

  it('an invalid object is an error that says what is wrong', async () => {
    const wrong: Manifest = { ...owned('Not A Name', 'a', 1) };
    await assert.rejects(
      kube.apply(wrong, { fieldManager: 'test' }),
      (error: unknown) => error instanceof KubeError && error.failure.status === 422,
    );
  });

  it('W1: follows changes, and sees only metadata when asked to', async () => {
    const stop = new AbortController();
    const seen: [string, KubeObject][] = [];
    const done = watchObjects(kube, {
      kind: 'ConfigMap',
      namespace: 'default',
      metadataOnly: true,
      signal: stop.signal,
      onList: () => seen.push(['listed', { metadata: { name: '' } }]),
      onChange: (change, object) => seen.push([`${change} ${object.metadata.name}`, object]),
      onError: (problem) => seen.push([problem, { metadata: { name: '' } }]),
    });
    await eventually(() => seen.length > 0);
    await applyFenced(kube, owned('followed', 'a', 1), { uid: 'a', seq: 1 });
    await kube.delete('ConfigMap', 'followed', 'default');
    await eventually(() => seen.some(([what]) => what === 'deleted followed'));
    assert.deepEqual(
      seen.map(([what]) => what).filter((what) => what.endsWith('followed')),
      ['changed followed', 'deleted followed'],
    );
    assert.equal(seen.find(([what]) => what === 'changed followed')?.[1]['data'], undefined);
    stop.abort();
    await done;
  });
});
