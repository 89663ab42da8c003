import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyFenced, deleteFenced } from '../../../activities/kubernetes/fenced.ts';
import { updateStatus } from '../../../activities/status/write.ts';
import { clusterOf } from '../../../kubernetes/cluster.ts';
import { addFinalizer, removeFinalizer } from '../../../kubernetes/finalizer.ts';
import { KubeError } from '../../../kubernetes/kube-error.ts';
import { connectKube, type Kube } from '../../../kubernetes/kube.ts';
import type { KubeObject, Manifest } from '../../../kubernetes/objects.ts';
import { watchObjects } from '../../../kubernetes/watch.ts';
import type { PipelineRef } from '../../../model/lifecycle.ts';
import { annotations, finalizer, kind, labels } from '../../../model/names.ts';
import { MillraceError } from '../../../model/errors.ts';
import { startKubernetes, type Kubernetes } from '../../../local/parts/kubernetes.ts';
import { eventually } from '../../support/eventually.ts';
import { installCrd } from '../../support/install-crd.ts';
import { pipelineManifest } from '../../workers/lifecycle/control-plane.ts';

describe('the Kubernetes client on a real API server', function () {
  let kubernetes: Kubernetes;
  let kube: Kube;
  let dir: string;
  let cluster: string;
  let a: PipelineRef;
  let b: PipelineRef;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-kube-'));
    kubernetes = await startKubernetes({ dir, unsafeNoFsync: true, controllers: false });
    kube = connectKube(kubernetes.kubeconfigPath);
    await installCrd(kube);
    cluster = await clusterOf(kube);
    [a, b] = [await pipelineOf('a'), await pipelineOf('b')];
  });
  after(async () => {
    kube.close();
    await kubernetes.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** A pipeline that is there: what is not there is made for none but such. */
  async function pipelineOf(name: string, finalizers: string[] = []): Promise<PipelineRef> {
    const manifest = pipelineManifest(name);
    const metadata = { ...manifest.metadata, finalizers };
    const { metadata: made } = await kube.apply({ ...manifest, metadata }, { fieldManager: 'person' });
    return { namespace: 'default', name, uid: made.uid ?? '', cluster };
  }

  const owned = (name: string, { uid }: PipelineRef, seq: number): Manifest => ({
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
    const first = await applyFenced(kube, owned('twice', a, 1), { pipeline: a, seq: 1 });
    const second = await applyFenced(kube, owned('twice', a, 1), { pipeline: a, seq: 1 });
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
  });

  it('F1: an older operation is refused', async () => {
    await applyFenced(kube, owned('fence', a, 2), { pipeline: a, seq: 2 });
    await assert.rejects(applyFenced(kube, owned('fence', a, 1), { pipeline: a, seq: 1 }), code('MR_OPERATION_FENCED'));
  });

  it('F2: what belongs to another pipeline is not taken over', async () => {
    await applyFenced(kube, owned('other', a, 1), { pipeline: a, seq: 1 });
    await assert.rejects(applyFenced(kube, owned('other', b, 9), { pipeline: b, seq: 9 }), code('MR_OBJECT_FOREIGN'));
  });

  it('F4: nothing is made for a pipeline that is being deleted, is gone, or has a newer operation', async () => {
    const make = (pipeline: PipelineRef) => applyFenced(kube, owned('late', pipeline, 1), { pipeline, seq: 1 });
    const leaving = await pipelineOf('leaving', ['millrace.io/cleanup']);
    await kube.delete(kind, 'leaving', 'default');
    await assert.rejects(make(leaving), code('MR_PIPELINE_BEING_DELETED'));
    const gone = await pipelineOf('gone');
    await kube.delete(kind, 'gone', 'default');
    await assert.rejects(make(gone), code('MR_PIPELINE_REPLACED'));
    const busy = await pipelineOf('busy');
    await updateStatus(kube, { now: Date.now }, { pipeline: busy, opSeq: 2, generation: 1 }, () => ({
      phase: 'Running',
    }));
    await assert.rejects(make(busy), code('MR_OPERATION_FENCED'));
    assert.equal(await kube.get('ConfigMap', 'late', 'default'), undefined);
  });

  it('F4: an apply of what was deleted meanwhile does not make it again', async () => {
    const first = await applyFenced(kube, owned('again', a, 1), { pipeline: a, seq: 1 });
    await kube.delete('ConfigMap', 'again', 'default');
    const { uid, resourceVersion } = first.metadata;
    const manifest = owned('again', a, 1);
    const late = { ...manifest, metadata: { ...manifest.metadata, uid, resourceVersion } };
    await assert.rejects(
      kube.apply(late, { fieldManager: 'late', force: true }),
      (error: unknown) => error instanceof KubeError && error.isConflict(),
    );
    assert.equal(await kube.get('ConfigMap', 'again', 'default'), undefined);
  });

  it('F5: an object that is being deleted is not written, and what keeps it is named with who has set it', async () => {
    const by = { pipeline: a, seq: 1 };
    await applyFenced(kube, owned('held', a, 1), by);
    const hold = (finalizers: string[]) =>
      kube.patchMerge('ConfigMap', 'held', 'default', { metadata: { finalizers } }, { fieldManager: 'backup-tool' });
    await hold(['example.com/hold']);
    await kube.delete('ConfigMap', 'held', 'default');
    await assert.rejects(applyFenced(kube, owned('held', a, 1), by), (error: unknown) => {
      assert.ok(error instanceof MillraceError && error.code === 'MR_OBJECT_HELD');
      assert.match(
        error.message,
        /ConfigMap default\/held .* example\.com\/hold must be removed by whoever has set it \(backup-tool\)/,
      );
      return true;
    });
    await hold([]);
    await applyFenced(kube, owned('held', a, 1), by);
  });

  it('F1: an older operation deletes nothing that a newer one has written', async () => {
    const made = await applyFenced(kube, owned('newer', a, 3), { pipeline: a, seq: 3 });
    await assert.rejects(deleteFenced(kube, 'ConfigMap', made, { pipeline: a, seq: 2 }), code('MR_OPERATION_FENCED'));
    await deleteFenced(kube, 'ConfigMap', made, { pipeline: a, seq: 3 });
    await deleteFenced(kube, 'ConfigMap', made, { pipeline: a, seq: 3 });
    assert.equal(await kube.get('ConfigMap', 'newer', 'default'), undefined);
  });

  it('V1: the real API server names what is absent, and what is missing around it', async () => {
    const failureOf = async (asked: Promise<unknown>): Promise<KubeError> => {
      const error: unknown = await asked.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof KubeError);
      return error;
    };
    const get = (path: string) => failureOf(kube.transport.send({ method: 'GET', path, what: 'get' }));
    assert.ok((await get('/apis/millrace.io/v1alpha1/namespaces/default/pipelines/none')).isProvenAbsent());
    assert.ok((await get('/api/v1/namespaces/none')).isProvenAbsent());
    assert.ok((await get('/apis/apps/v1/namespaces/none/deployments/none')).isProvenAbsent());
    for (const path of ['/apis/none.io/v1/namespaces/default/things/a', '/apis/apps/v1/things/a', '/nowhere/a/b/c']) {
      const error = await get(path);
      assert.ok(!error.isProvenAbsent() && error.isWithoutType(), path);
    }
    const nowhere = { ...owned('a', a, 1), metadata: { name: 'a', namespace: 'none' } };
    assert.ok((await failureOf(kube.create(nowhere, { fieldManager: 'test' }))).isWithoutNamespace());
    assert.ok((await failureOf(kube.apply(nowhere, { fieldManager: 'test' }))).isWithoutNamespace());
    const status = { ...pipelineManifest('none'), status: { phase: 'Running' } };
    const applied = kube.apply(status, { fieldManager: 'test', subresource: 'status' });
    assert.ok((await failureOf(applied)).isProvenAbsent());
  });

  it('a patch of what is gone is no error, and one with another uid is a conflict', async () => {
    const by = { fieldManager: 'test' };
    assert.equal(await kube.patchMerge('ConfigMap', 'never', 'default', { data: { a: 'b' } }, by), undefined);
    await applyFenced(kube, owned('patched', a, 1), { pipeline: a, seq: 1 });
    const patch = { metadata: { uid: 'not this one' }, data: { a: 'b' } };
    await assert.rejects(
      kube.patchMerge('ConfigMap', 'patched', 'default', patch, by),
      (error: unknown) => error instanceof KubeError && error.isConflict(),
    );
  });

  it('K3: whoever patches has a name', async () => {
    await applyFenced(kube, owned('signed', a, 1), { pipeline: a, seq: 1 });
    await kube.patchMerge('ConfigMap', 'signed', 'default', { data: { a: 'b' } }, { fieldManager: 'somebody' });
    const signed = await kube.get('ConfigMap', 'signed', 'default');
    assert.match(JSON.stringify(signed?.metadata['managedFields']), /"manager":"somebody"/);
    assert.doesNotMatch(JSON.stringify(signed?.metadata['managedFields']), /"manager":"(unknown|node)"/);
  });

  it('the finalizer is put on and taken off beside those of others', async () => {
    const kept = await pipelineOf('kept', ['example.org/keep']);
    const on = await addFinalizer(kube, kept, 'controller');
    assert.deepEqual(on?.metadata.finalizers, ['example.org/keep', finalizer]);
    assert.deepEqual((await addFinalizer(kube, kept, 'controller'))?.metadata.finalizers, on.metadata.finalizers);
    await kube.delete(kind, 'kept', 'default');
    await removeFinalizer(kube, kept, 'lifecycle');
    assert.deepEqual((await kube.get(kind, 'kept', 'default'))?.metadata.finalizers, ['example.org/keep']);
    await removeFinalizer(kube, kept, 'lifecycle');
    assert.equal(await addFinalizer(kube, { ...kept, uid: 'another' }, 'controller'), undefined);
  });

  it('deleting what is gone, or has another uid, is no error', async () => {
    assert.equal(await kube.delete('ConfigMap', 'never', 'default'), false);
    await applyFenced(kube, owned('kept', a, 1), { pipeline: a, seq: 1 });
    assert.equal(await kube.delete('ConfigMap', 'kept', 'default', { uid: 'not this one' }), false);
    assert.ok(await kube.get('ConfigMap', 'kept', 'default'));
  });

  it('an invalid object is an error that says what is wrong', async () => {
    const wrong: Manifest = { ...owned('Not A Name', a, 1) };
    await assert.rejects(
      kube.apply(wrong, { fieldManager: 'test' }),
      (error: unknown) => error instanceof KubeError && error.verdict === 'refuse',
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
    await applyFenced(kube, owned('followed', a, 1), { pipeline: a, seq: 1 });
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
