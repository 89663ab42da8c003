import assert from 'node:assert/strict';
import type { AppliedPipeline, ApplyPipelineInput } from '../../../model/lifecycle.ts';
import { finalizer, kind, namespaceOf, pidOf } from '../../../model/names.ts';
import { entityWorkflowId, doorTaskQueue } from '../../../model/workflow-ids.ts';
import { firstWrong } from '../../../model/conditions.ts';
import { eventually } from '../../support/eventually.ts';
import { pipelineManifest, startControlPlane, statusOf, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

describe('lifecycle on a real control plane', function () {
  let plane: ControlPlane;
  let person: Person;
  before(async () => {
    plane = await startControlPlane();
    person = new Person(plane);
  });
  after(() => plane.stop());

  it('takes a pipeline from its resource to Ready, through edit, pause and resume, to nothing', async () => {
    await person.putSecret('ch', { password: 'topsecret', other: 'not asked for' });
    const { uid = '' } = (await person.apply('orders')).metadata;
    const pid = pidOf('orders', uid);
    const namespace = namespaceOf(pid);
    const provisioned = await person.untilReady('orders', 'Running');
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
    assert.equal((await person.streamsOf(pid)).length, 3);

    const ingestorPods = await person.podsOf(uid, namespace);
    await person.apply('orders', { steps: [{ name: 'some', filter: { where: 'record.id > 10' } }] });
    await person.untilReady('orders', 'Running');
    const deployment = await plane.kube.get('Deployment', 'ingestor-numbers', namespace);
    assert.ok(JSON.stringify(deployment).includes('"plan-g1"'), 'an ingestor that did not change keeps its plan');
    const kept = (await person.podsOf(uid, namespace)).filter((name) => ingestorPods.includes(name));
    assert.equal(kept.length, 1, 'the ingestor pod stays, the sink pod is replaced');

    await person.apply('orders', { desiredState: 'Paused' });
    const paused = await person.untilReady('orders', 'Paused');
    assert.equal(paused.phase, 'Paused');
    assert.deepEqual(await person.podsOf(uid, namespace), []);

    await person.apply('orders');
    await person.untilReady('orders', 'Running');

    await person.delete('orders');
    assert.deepEqual(await person.leftovers(uid), []);
    assert.deepEqual(await person.streamsOf(pid), []);
    const entity = plane.client.workflow.getHandle(entityWorkflowId('default', 'orders', uid));
    await entity.result();
    assert.equal((await entity.describe()).status.name, 'COMPLETED');
    const { events } = await entity.fetchHistory();
    assert.ok(!JSON.stringify(events).includes(Buffer.from('topsecret').toString('base64')));
  });

  it('waits for a missing Secret, says so, and goes on by itself', async () => {
    const spec = {
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
    };
    const { uid = '' } = (await person.apply('waits', spec)).metadata;
    await eventually(async () => {
      const status = await statusOf(plane.kube, 'waits');
      assert.match(status.operation?.lastError ?? '', /Secret "late".*must have key "password"/);
      assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.reason, 'SecretMissing');
      // C4: the first that is wrong is the cause, and nothing says that there is none.
      assert.deepEqual(firstWrong(status.conditions)?.reason, 'SecretMissing');
      const stalled = status.conditions.find(({ type }) => type === 'Stalled');
      assert.deepEqual([stalled?.status, stalled?.reason], ['False', 'Waiting']);
      assert.match(stalled?.message ?? '', /continues by itself.*Secret "late"/);
    });
    await person.putSecret('late', { user: 'x' });
    await eventually(async () => {
      const status = await statusOf(plane.kube, 'waits');
      assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.reason, 'SecretKeyMissing');
      assert.match(status.operation?.lastError ?? '', /Secret "late" .* is there, and has no key "password"/);
    });
    await person.putSecret('late', { password: 'x' });
    await person.untilReady('waits', 'Running');
    await person.apply('waits', { ...spec, desiredState: 'Paused' });
    await person.untilReady('waits', 'Paused');
    // The Secret that came late was copied by the provision: nothing had to be done again for it.
    await person.untilOperations('waits', uid, ['provision', 'pause']);
    await person.delete('waits');
  });

  it('a source that comes back before it has left is refused like a spec, and what was accepted stays in force', async () => {
    const numbers = { name: 'numbers', generator: { fields: [{ name: 'id', kind: 'Sequence' as const }] } };
    const words = { ...numbers, name: 'words' };
    await person.putSecret('ch', { password: 'topsecret' });
    await person.apply('returns', { sources: [numbers, words] });
    await person.untilReady('returns', 'Running');
    // While it is paused the edges stay as they are: the source has left the spec and not the edge.
    await person.apply('returns', { sources: [numbers], desiredState: 'Paused' });
    await person.untilReady('returns', 'Paused');
    const { generation: accepted } = await statusOf(plane.kube, 'returns');
    await person.apply('returns', {
      sources: [numbers, { name: 'words', http: { path: '/words' } }],
      desiredState: 'Running',
    });
    await eventually(async () => {
      const status = await statusOf(plane.kube, 'returns');
      const said = (wanted: string) => status.conditions?.find(({ type }) => type === wanted);
      assert.deepEqual([said('Accepted')?.status, said('Accepted')?.reason], ['False', 'SourceNotGone']);
      assert.deepEqual([said('Ready')?.status, said('Ready')?.reason], ['False', 'SourceNotGone']);
      assert.deepEqual([status.phase, status.acceptedGeneration], ['Paused', accepted]);
    });
    await person.delete('returns');
  });

  it('refuses an expression that does not compile, with its path, and carries out the repair', async () => {
    await person.apply('typo', { steps: [{ name: 'some', filter: { where: 'recrd.id >' } }] });
    await eventually(async () => {
      const status = await statusOf(plane.kube, 'typo');
      const accepted = status.conditions?.find(({ type }) => type === 'Accepted');
      assert.deepEqual([accepted?.status, accepted?.reason], ['False', 'SpecExpression']);
      assert.equal(status.observedGeneration, status.generation);
      assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
    });
    await person.apply('typo');
    await person.untilReady('typo', 'Running');
  });

  it('deletes while it provisions, and a pod that never becomes ready does not hold that up', async () => {
    plane.pods.isHeld = true;
    const { uid = '' } = (await person.apply('early')).metadata;
    await eventually(async () =>
      assert.equal((await statusOf(plane.kube, 'early')).operation?.step, 'wait for sink/warehouse'),
    );
    await person.delete('early');
    assert.deepEqual(await person.leftovers(uid), []);
    plane.pods.isHeld = false;
  });

  it('starts the entity again when somebody has ended it', async () => {
    const { uid = '' } = (await person.apply('ended')).metadata;
    await person.untilReady('ended', 'Running');
    const entity = plane.client.workflow.getHandle(entityWorkflowId('default', 'ended', uid));
    const { runId } = await entity.describe();
    await entity.terminate('by hand');
    await eventually(async () => {
      const now = await entity.describe();
      return now.runId !== runId && now.status.name === 'RUNNING';
    });
    await person.untilReady('ended', 'Running');
  });

  it('counts operations by type and outcome, what the Temporal SDK does, and what the controller tells', async () => {
    await eventually(async () => {
      const lifecycle = await plane.metricsOf('lifecycle');
      assert.match(lifecycle, /millrace_operations\{.*outcome="done".*type="provision".*\} [1-9]/);
      assert.match(lifecycle, /temporal_activity_execution_latency\w*_count\{.*activity_type="applyStage"/);
      assert.match(lifecycle, /temporal_worker_task_slots_available/);
      const controller = await plane.metricsOf('controller');
      assert.match(controller, /millrace_controller_signals [1-9]/);
      for (const name of ['relists', 'queue_depth', 'oldest_key_seconds', 'signals_suppressed'])
        assert.ok(controller.includes(`millrace_controller_${name} `), name);
    });
  });

  it('lands on the same entity when a program starts applyPipeline and deletePipeline', async () => {
    const { spec } = pipelineManifest('program');
    const at = { namespace: 'default', name: 'program' };
    const applied = await plane.client.workflow.execute<(input: ApplyPipelineInput) => Promise<AppliedPipeline>>(
      'applyPipeline',
      {
        taskQueue: doorTaskQueue,
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
      taskQueue: doorTaskQueue,
      workflowId: 'delete-program',
      args: [at],
    });
    assert.equal(await plane.kube.get(kind, 'program', 'default'), undefined);
    await entity.result();
  });
});
