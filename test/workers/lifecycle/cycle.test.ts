import assert from 'node:assert/strict';
import type { KindName } from '../../../activities/kubernetes/objects.ts';
import type { AppliedPipeline, ApplyPipelineInput } from '../../../crds/lifecycle.ts';
import { finalizer, kind, labels, namespaceOf, pidOf } from '../../../crds/names.ts';
import { entityWorkflowId, lifecycleTaskQueue } from '../../../crds/workflow-ids.ts';
import type { PipelineState } from '../../../workflows/state.ts';
import { eventually } from '../../support/eventually.ts';
import { pipelineManifest, startControlPlane, statusOf, type ControlPlane } from './control-plane.ts';

const patient = { timeoutMs: 60_000, intervalMs: 100 };

describe('lifecycle on a real control plane', function () {
  this.timeout(180_000);
  let plane: ControlPlane;
  before(async () => (plane = await startControlPlane()));
  after(() => plane.stop());

  async function putSecret(name: string, data: Record<string, string>): Promise<void> {
    const encoded = Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    );
    const manifest = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'default' },
      data: encoded,
    } as const;
    await plane.kube.apply(manifest, { fieldManager: 'person', force: true });
  }

  function apply(name: string, spec: Parameters<typeof pipelineManifest>[1] = {}) {
    return plane.kube.apply(pipelineManifest(name, spec), { fieldManager: 'person', force: true });
  }

  /** Ready for the newest generation, with this reason. */
  function untilReady(name: string, reason: string) {
    return eventually(async () => {
      const status = await statusOf(plane.kube, name);
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      const text = JSON.stringify({ phase: status.phase, operation: status.operation, ready });
      if (status.observedGeneration !== status.generation || ready?.reason !== reason) throw new Error(text);
      assert.deepEqual([ready.status, ready.observedGeneration], ['True', status.generation]);
      return status;
    }, patient);
  }

  async function readyOf(name: string) {
    return (await statusOf(plane.kube, name)).conditions?.find(({ type }) => type === 'Ready');
  }

  async function podsOf(uid: string, namespace: string): Promise<string[]> {
    const pods = await plane.kube.list('Pod', { namespace, labels: { [labels.pipelineUid]: uid } });
    return pods.items.map(({ metadata }) => metadata.name);
  }

  async function leftovers(uid: string): Promise<string[]> {
    const owned: KindName[] = [
      'Namespace',
      'Deployment',
      'Pod',
      'ConfigMap',
      'Secret',
      'Service',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'ServiceAccount',
    ];
    const found = await Promise.all(
      owned.map((each) => plane.kube.list(each, { labels: { [labels.pipelineUid]: uid } })),
    );
    return found.flatMap(({ items }, i) => items.map(({ metadata }) => `${owned[i] ?? ''} ${metadata.name}`));
  }

  it('takes a pipeline from its resource to Ready, through edit, pause and resume, to nothing', async () => {
    await putSecret('ch', { password: 'topsecret', other: 'not asked for' });
    const { uid = '' } = (await apply('orders')).metadata;
    const pid = pidOf('orders', uid);
    const namespace = namespaceOf(pid);
    const provisioned = await untilReady('orders', 'Running');
    assert.deepEqual(
      provisioned.stages?.map(({ name, ready }) => [name, ready]),
      [
        ['ingestor-numbers', 1],
        ['sink-warehouse', 1],
      ],
    );
    assert.ok(provisioned.workflow?.url?.includes('/workflows/'));
    assert.equal(provisioned.operation, undefined);

    const secret = await plane.kube.get('Secret', 'credentials', namespace);
    assert.deepEqual(secret?.['data'], { 'secret.ch.password': Buffer.from('topsecret').toString('base64') });
    const streams: string[] = [];
    for await (const name of plane.streams.jsm.streams.names(`mr.${pid}.>`)) streams.push(name);
    assert.equal(streams.length, 3);

    const ingestorPods = await podsOf(uid, namespace);
    await apply('orders', { steps: [{ name: 'some', filter: { where: 'record.id > 10' } }] });
    await untilReady('orders', 'Running');
    const deployment = await plane.kube.get('Deployment', 'ingestor-numbers', namespace);
    assert.ok(JSON.stringify(deployment).includes('"plan-g1"'), 'an ingestor that did not change keeps its plan');
    const kept = (await podsOf(uid, namespace)).filter((name) => ingestorPods.includes(name));
    assert.equal(kept.length, 1, 'the ingestor pod stays, the sink pod is replaced');

    await apply('orders', { desiredState: 'Paused' });
    const paused = await untilReady('orders', 'Paused');
    assert.equal(paused.phase, 'Paused');
    assert.deepEqual(await podsOf(uid, namespace), []);

    await apply('orders');
    await untilReady('orders', 'Running');

    await plane.kube.delete(kind, 'orders', 'default');
    await eventually(async () => (await plane.kube.get(kind, 'orders', 'default')) === undefined, patient);
    assert.deepEqual(await leftovers(uid), []);
    const left: string[] = [];
    for await (const name of plane.streams.jsm.streams.names(`mr.${pid}.>`)) left.push(name);
    assert.deepEqual(left, []);
    const entity = plane.client.workflow.getHandle(entityWorkflowId('default', 'orders', uid));
    await entity.result();
    assert.equal((await entity.describe()).status.name, 'COMPLETED');
    const { events } = await entity.fetchHistory();
    assert.ok(!JSON.stringify(events).includes(Buffer.from('topsecret').toString('base64')));
  });

  it('waits for a missing Secret, says so, and goes on by itself', async () => {
    await apply('waits', {
      sinks: [
        {
          name: 'warehouse',
          clickhouse: {
            url: 'http://127.0.0.1:1',
            database: 'a',
            table: 'b',
            username: 'c',
            password: '$(secret:late/password)',
          },
        },
      ],
    });
    await eventually(async () => {
      const status = await statusOf(plane.kube, 'waits');
      assert.match(status.operation?.lastError ?? '', /Secret "late".*must have key "password"/);
      assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.reason, 'SecretMissing');
    }, patient);
    await putSecret('late', { password: 'x' });
    await untilReady('waits', 'Running');
    await plane.kube.delete(kind, 'waits', 'default');
    await eventually(async () => (await plane.kube.get(kind, 'waits', 'default')) === undefined, patient);
  });

  it('refuses an expression that does not compile, with its path, and carries out the repair', async () => {
    await apply('typo', { steps: [{ name: 'some', filter: { where: 'recrd.id >' } }] });
    await eventually(async () => {
      const status = await statusOf(plane.kube, 'typo');
      const accepted = status.conditions?.find(({ type }) => type === 'Accepted');
      assert.deepEqual([accepted?.status, accepted?.reason], ['False', 'SpecExpression']);
      assert.equal(status.observedGeneration, status.generation);
      assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
    }, patient);
    await apply('typo');
    await untilReady('typo', 'Running');
  });

  it('deletes while it provisions, and a pod that never becomes ready does not hold that up', async () => {
    plane.pods.isHeld = true;
    const { uid = '' } = (await apply('early')).metadata;
    await eventually(
      async () => assert.equal((await statusOf(plane.kube, 'early')).operation?.step, 'wait for sink/warehouse'),
      patient,
    );
    await plane.kube.delete(kind, 'early', 'default');
    await eventually(async () => (await plane.kube.get(kind, 'early', 'default')) === undefined, patient);
    assert.deepEqual(await leftovers(uid), []);
    plane.pods.isHeld = false;
  });

  it('starts the entity again when somebody has ended it', async () => {
    const { uid = '' } = (await apply('ended')).metadata;
    await untilReady('ended', 'Running');
    const entity = plane.client.workflow.getHandle(entityWorkflowId('default', 'ended', uid));
    const { runId } = await entity.describe();
    await entity.terminate('by hand');
    await eventually(async () => {
      const now = await entity.describe();
      return now.runId !== runId && now.status.name === 'RUNNING';
    }, patient);
    await untilReady('ended', 'Running');
  });

  async function operationsOf(name: string, uid: string): Promise<string[]> {
    const entity = plane.client.workflow.getHandle(entityWorkflowId('default', name, uid));
    return (await entity.query<PipelineState>('state')).history.map(({ kind: each, because = '' }) =>
      `${each} ${because}`.trim(),
    );
  }

  it('brings a deleted Deployment back by a repair, and says so', async () => {
    const { uid = '' } = (await apply('drift')).metadata;
    await untilReady('drift', 'Running');
    const namespace = namespaceOf(pidOf('drift', uid));
    await plane.kube.delete('Deployment', 'sink-warehouse', namespace);
    await eventually(async () => assert.notEqual((await readyOf('drift'))?.status, 'True'), patient);
    await eventually(async () => {
      assert.deepEqual(await operationsOf('drift', uid), [
        'provision',
        'repair The Deployment of sink-warehouse was deleted.',
      ]);
    }, patient);
    const status = await untilReady('drift', 'Running');
    assert.equal(status.stages?.find(({ name }) => name === 'sink-warehouse')?.ready, 1);
  });

  it('restores a Deployment that was scaled or edited by hand', async () => {
    const { uid = '' } = (await apply('scaled')).metadata;
    await untilReady('scaled', 'Running');
    const namespace = namespaceOf(pidOf('scaled', uid));
    const change = (spec: object) => plane.kube.patchMerge('Deployment', 'ingestor-numbers', namespace, { spec });
    await change({ replicas: 0 });
    await eventually(async () => {
      const status = await statusOf(plane.kube, 'scaled');
      assert.equal(status.stages?.find(({ name }) => name === 'ingestor-numbers')?.ready, 0);
    }, patient);
    await eventually(async () => {
      const [, repair] = await operationsOf('scaled', uid);
      assert.match(repair ?? '', /^repair Deployment .*ingestor-numbers was scaled from 1 to 0\.$/);
    }, patient);
    await untilReady('scaled', 'Running');
    await change({ template: { spec: { terminationGracePeriodSeconds: 1 } } });
    await eventually(async () => {
      const deployment = await plane.kube.get('Deployment', 'ingestor-numbers', namespace);
      assert.ok(JSON.stringify(deployment?.['spec']).includes('"terminationGracePeriodSeconds":30'));
      assert.equal((await operationsOf('scaled', uid)).length, 3);
    }, patient);
    await untilReady('scaled', 'Running');
  });

  it('I12: pods that somebody started while the pipeline is paused are stopped again', async () => {
    const { uid = '' } = (await apply('asleep')).metadata;
    await untilReady('asleep', 'Running');
    await apply('asleep', { desiredState: 'Paused' });
    await untilReady('asleep', 'Paused');
    const namespace = namespaceOf(pidOf('asleep', uid));
    await plane.kube.patchMerge('Deployment', 'sink-warehouse', namespace, { spec: { replicas: 2 } });
    await eventually(async () => assert.equal((await operationsOf('asleep', uid)).length, 3), patient);
    await untilReady('asleep', 'Paused');
    assert.deepEqual(await podsOf(uid, namespace), []);
  });

  it('lands on the same entity when a program starts applyPipeline and deletePipeline', async () => {
    const { spec } = pipelineManifest('program');
    const at = { namespace: 'default', name: 'program' };
    const applied = await plane.client.workflow.execute<(input: ApplyPipelineInput) => Promise<AppliedPipeline>>(
      'applyPipeline',
      {
        taskQueue: lifecycleTaskQueue,
        workflowId: 'apply-program',
        args: [{ ...at, spec }],
      },
    );
    assert.equal(applied.status.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
    const entity = plane.client.workflow.getHandle(entityWorkflowId('default', 'program', applied.pipeline.uid));
    assert.equal((await entity.describe()).status.name, 'RUNNING');
    const resource = await plane.kube.get(kind, 'program', 'default');
    assert.ok(resource?.metadata.finalizers?.includes(finalizer));
    await plane.client.workflow.execute('deletePipeline', {
      taskQueue: lifecycleTaskQueue,
      workflowId: 'delete-program',
      args: [at],
    });
    assert.equal(await plane.kube.get(kind, 'program', 'default'), undefined);
    await entity.result();
  });
});
