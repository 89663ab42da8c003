import assert from 'node:assert/strict';
import { pathOf } from '../../../kubernetes/objects.ts';
import { kind, namespaceOf, pidOf } from '../../../model/names.ts';
import { entityWorkflowId } from '../../../model/workflow-ids.ts';
import { pipelineState } from '../../../workflows/search-attributes.ts';
import { eventually } from '../../support/eventually.ts';
import { startControlPlane, statusOf, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

describe('what others change, on a real control plane', function () {
  let plane: ControlPlane;
  let person: Person;
  before(async () => {
    plane = await startControlPlane();
    person = new Person(plane);
    await person.putSecret('ch', { password: 'first' });
  });
  after(() => plane.stop());

  it('brings a deleted Deployment back by a repair, and says so', async () => {
    const { uid = '' } = (await person.apply('drift')).metadata;
    await person.untilReady('drift', 'Running');
    const namespace = namespaceOf(pidOf('drift', uid));
    await plane.kube.delete('Deployment', 'sink-warehouse', namespace);
    await eventually(async () => assert.notEqual((await person.readyOf('drift'))?.status, 'True'));
    const repair = 'repair The Deployment of sink-warehouse was deleted.';
    await person.untilOperations('drift', uid, ['provision', repair]);
    const status = await person.untilReady('drift', 'Running');
    assert.equal(status.stages?.find(({ name }) => name === 'sink-warehouse')?.ready, 1);
  });

  it('G4: a Deployment that is deleted while its pods are awaited is applied again', async () => {
    plane.pods.isHeld = true;
    const { uid = '' } = (await person.apply('awaited')).metadata;
    const namespace = namespaceOf(pidOf('awaited', uid));
    await eventually(async () => {
      const { operation } = await statusOf(plane.kube, 'awaited');
      assert.equal(operation?.step, 'wait for sink/warehouse');
    });
    await plane.kube.delete('Deployment', 'sink-warehouse', namespace);
    plane.pods.isHeld = false;
    await person.untilReady('awaited', 'Running');
    assert.ok(await plane.kube.get('Deployment', 'sink-warehouse', namespace));
    await person.untilOperations('awaited', uid, ['provision']);
  });

  it('D2: neither the phase nor Temporal says Running of a pipeline whose sink refuses it, nor anything else later', async () => {
    const { uid = '' } = (await person.apply('refused')).metadata;
    await person.untilReady('refused', 'Running');
    const entity = plane.client.workflow.getHandle(entityWorkflowId('default', 'refused', uid));
    const shown = async () => (await entity.describe()).typedSearchAttributes.get(pipelineState);
    const message = 'rejected';
    plane.pods.sinkConnection = { state: 'Disconnected', since: 0, code: 'MR_SINK_AUTH_REJECTED', message };
    await eventually(async () => assert.equal((await statusOf(plane.kube, 'refused')).phase, 'NotReady'));
    await eventually(async () => assert.equal(await shown(), 'SinkAuthRejected'));
    plane.pods.sinkConnection = { state: 'Connected', since: 0 };
    await eventually(async () => assert.equal((await statusOf(plane.kube, 'refused')).phase, 'Running'));
    await eventually(async () => assert.equal(await shown(), 'Running'));
    await person.untilOperations('refused', uid, ['provision']);
  });

  it('I14 F4: a pipeline whose pods crash is not ready, and says what they died of, though they reported well', async () => {
    const { uid = '' } = (await person.apply('crashes')).metadata;
    await person.untilReady('crashes', 'Running');
    const namespace = namespaceOf(pidOf('crashes', uid));
    const pods = await person.podsOf(uid, namespace);
    await plane.pods.crash(pods.find((name) => name.startsWith('sink-warehouse')) ?? '', namespace);
    await eventually(async () => {
      const status = await statusOf(plane.kube, 'crashes');
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      assert.deepEqual([ready?.status, ready?.reason], ['False', 'WorkloadNotReady']);
      assert.match(ready?.message ?? '', /0 of 1 pod ready: pod .* CrashLoopBackOff.*no such table/);
      assert.equal(status.stages?.find(({ name }) => name === 'sink-warehouse')?.ready, 0);
    });
    await person.untilOperations('crashes', uid, ['provision']);
  });

  it('restores a Deployment that was scaled or edited by hand', async () => {
    const { uid = '' } = (await person.apply('scaled')).metadata;
    await person.untilReady('scaled', 'Running');
    const namespace = namespaceOf(pidOf('scaled', uid));
    const change = (spec: object) =>
      plane.kube.patchMerge('Deployment', 'ingestor-numbers', namespace, { spec }, { fieldManager: 'person' });
    await change({ replicas: 0 });
    await eventually(async () => {
      const status = await statusOf(plane.kube, 'scaled');
      assert.equal(status.stages?.find(({ name }) => name === 'ingestor-numbers')?.ready, 0);
    });
    await eventually(async () => {
      const [, repair] = await person.operationsOf('scaled', uid);
      assert.match(repair ?? '', /^repair Deployment .*ingestor-numbers was scaled from 1 to 0\.$/);
    });
    await person.untilReady('scaled', 'Running');
    await change({ template: { spec: { terminationGracePeriodSeconds: 1 } } });
    await eventually(async () => {
      const deployment = await plane.kube.get('Deployment', 'ingestor-numbers', namespace);
      assert.ok(JSON.stringify(deployment?.['spec']).includes('"terminationGracePeriodSeconds":30'));
      assert.equal((await person.operationsOf('scaled', uid)).length, 3);
    });
    await person.untilReady('scaled', 'Running');
  });

  it('D4: drift wakes a pipeline whose last operation has failed', async () => {
    const { uid = '' } = (await person.apply('failed', { isolation: 'Shared' })).metadata;
    await person.untilReady('failed', 'Running');
    // A person has made it anew, with a selector that cannot be changed.
    const live = await plane.kube.get('Deployment', 'failed-sink-warehouse', 'default');
    await plane.kube.delete('Deployment', 'failed-sink-warehouse', 'default');
    const metadata = { name: 'failed-sink-warehouse', namespace: 'default', labels: live?.metadata.labels ?? {} };
    const containers = [{ name: 'worker', image: 'worker' }];
    const template = { metadata: { labels: { app: 'own' } }, spec: { containers } };
    const spec = { replicas: 0, selector: { matchLabels: { app: 'own' } }, template };
    await plane.kube.create({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec }, { fieldManager: 'person' });
    await person.apply('failed', { isolation: 'Shared', deletionPolicy: 'Immediate' });
    await eventually(async () => assert.equal((await statusOf(plane.kube, 'failed')).phase, 'Failed'));
    await plane.kube.delete('Deployment', 'failed-sink-warehouse', 'default');
    await person.untilReady('failed', 'Running');
    assert.ok(await plane.kube.get('Deployment', 'failed-sink-warehouse', 'default'));
    const operations = await person.operationsOf('failed', uid);
    assert.deepEqual([operations.at(0), operations.at(-1)], ['provision', 'reconfigure']);
  });

  it('I12: pods that somebody started while the pipeline is paused are stopped again', async () => {
    const { uid = '' } = (await person.apply('asleep')).metadata;
    await person.untilReady('asleep', 'Running');
    await person.apply('asleep', { desiredState: 'Paused' });
    await person.untilReady('asleep', 'Paused');
    const namespace = namespaceOf(pidOf('asleep', uid));
    await plane.kube.patchMerge(
      'Deployment',
      'sink-warehouse',
      namespace,
      { spec: { replicas: 2 } },
      { fieldManager: 'person' },
    );
    await eventually(async () => assert.equal((await person.operationsOf('asleep', uid)).length, 3));
    await person.untilReady('asleep', 'Paused');
    assert.deepEqual(await person.podsOf(uid, namespace), []);
  });

  it('D6: a status that somebody has taken away is written again', async () => {
    const { uid = '' } = (await person.apply('blank')).metadata;
    await person.untilReady('blank', 'Running');
    await plane.kube.transport.send({
      method: 'PATCH',
      path: pathOf(kind, { namespace: 'default', name: 'blank', subresource: 'status' }),
      contentType: 'application/json-patch+json',
      body: [{ op: 'remove', path: '/status' }],
      what: 'take the status away',
    });
    const status = await person.untilReady('blank', 'Running');
    assert.equal(status.phase, 'Running');
    await person.untilOperations('blank', uid, ['provision', 'repair The status was taken away.']);
  });

  it('D7: what somebody has written into a status by hand is put right', async () => {
    const { uid = '' } = (await person.apply('told')).metadata;
    await person.untilReady('told', 'Running');
    await plane.kube.transport.send({
      method: 'PATCH',
      path: pathOf(kind, { namespace: 'default', name: 'told', subresource: 'status' }),
      query: { fieldManager: 'kubectl-edit' },
      contentType: 'application/merge-patch+json',
      body: { status: { phase: 'Failed', opSeq: 999 } },
      what: 'write into the status',
    });
    await person.untilOperations('told', uid, [
      'provision',
      'repair The status was changed by kubectl-edit: opSeq, phase.',
    ]);
    const status = await person.untilReady('told', 'Running');
    assert.equal(status.phase, 'Running');
    assert.ok((status.opSeq ?? 0) < 999);
  });

  for (const more of [{}, { attempt: 7, lastError: 'odd' }])
    it(`D7: an operation with ${Object.keys(more).join(', ') || 'nothing more'} that somebody has written by hand is none`, async () => {
      const name = Object.keys(more).length === 0 ? 'busy' : 'busier';
      const { uid = '' } = (await person.apply(name)).metadata;
      await person.untilReady(name, 'Running');
      const operation = { id: 'odd', type: 'repair', step: 'odd', startedAt: '2026-01-01T00:00:00Z', ...more };
      await plane.kube.transport.send({
        method: 'PATCH',
        path: pathOf(kind, { namespace: 'default', name, subresource: 'status' }),
        query: { fieldManager: 'kubectl-edit' },
        contentType: 'application/merge-patch+json',
        body: { status: { operation } },
        what: 'write into the status',
      });
      await person.untilOperations(name, uid, [
        'provision',
        'repair The status was changed by kubectl-edit: operation.',
      ]);
      const status = await person.untilReady(name, 'Running');
      assert.equal(status.operation, undefined);
    });

  it('K2: a Secret that changed while the controller was down is copied when it is back, once', async () => {
    const { uid = '' } = (await person.apply('rotated')).metadata;
    await person.untilReady('rotated', 'Running');
    const namespace = namespaceOf(pidOf('rotated', uid));
    await plane.controller.stop();
    await person.putSecret('ch', { password: 'second' });
    await plane.controller.start();
    await eventually(async () => {
      const secret = await plane.kube.get('Secret', 'credentials', namespace);
      assert.deepEqual(secret?.['data'], { 'secret.ch.password': Buffer.from('second').toString('base64') });
    });
    await person.untilReady('rotated', 'Running');
    await person.apply('rotated', { desiredState: 'Paused' });
    await person.untilReady('rotated', 'Paused');
    await person.untilOperations('rotated', uid, ['provision', 'reconfigure', 'pause']);
  });

  it('D3: a Secret that changes while the pipeline is paused waits for the resume', async () => {
    const { uid = '' } = (await person.apply('paused')).metadata;
    await person.untilReady('paused', 'Running');
    await person.apply('paused', { desiredState: 'Paused' });
    await person.untilReady('paused', 'Paused');
    await person.putSecret('ch', { password: 'third' });
    await person.apply('paused');
    await person.untilReady('paused', 'Running');
    await person.apply('paused', { desiredState: 'Paused' });
    await person.untilReady('paused', 'Paused');
    await person.untilOperations('paused', uid, ['provision', 'pause', 'resume', 'pause']);
  });
});
