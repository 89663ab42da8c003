import assert from 'node:assert/strict';
import { WorkflowUpdateFailedError, type WorkflowExecutionInfo } from '@temporalio/client';
import { operationWorkflowId } from '../../model/workflow-ids.ts';
import { eventually } from '../support/eventually.ts';
import { pipelineName, pipelinePhase, pipelineState } from '../../workflows/search-attributes.ts';
import { spec } from './builders.ts';
import { EntityRun } from './entity-run.ts';

describe('entity workflow', function () {
  let run: EntityRun;
  beforeEach(async () => (run = await EntityRun.start()));
  afterEach(() => run.stop());

  it('provisions sinks before ingestors and says what it does', async () => {
    await run.provision();
    assert.deepEqual(run.world.steps, [
      'ensure namespace pipeline-orders-abc123',
      'copy credentials',
      'list live stages',
      'apply the plan',
      'ensure streams',
      'apply sink/warehouse',
      'wait for sink/warehouse',
      'apply ingestor/orders',
      'wait for ingestor/orders',
      'announce the plan',
      'remove plans that are no longer needed',
      'remove old plans',
      'record the revision',
    ]);
    const last = run.world.statuses.at(-1);
    assert.equal(last?.patch.phase, 'Running');
    assert.equal(last.patch.observedGeneration, 1);
    assert.deepEqual(
      run.world.statuses.map(({ event }) => event?.reason),
      ['Provisioning', 'Provisioned'],
    );
  });

  it('Y2: an idle entity has no timer, no activity and gets no event', async () => {
    await run.provision();
    const before = await run.events();
    const { raw } = await run.handle.describe();
    assert.deepEqual([raw.pendingActivities, raw.pendingChildren], [[], []]);
    const { events } = await run.handle.fetchHistory();
    assert.ok(!events?.some(({ timerStartedEventAttributes }) => timerStartedEventAttributes));
    await run.state();
    assert.equal(await run.events(), before);
    assert.ok(before <= 25, `a provision costs the entity ${before} events`);
  });

  it('a repeated signal of a known generation starts nothing', async () => {
    await run.provision();
    const calls = run.world.calls.length;
    await run.signal();
    await run.signal();
    await eventually(async () => (await run.events()) > 0);
    await run.state();
    assert.equal(run.world.calls.length, calls);
  });

  it('pauses: every stage is stopped and its pods are gone, without a drain', async () => {
    await run.provision();
    run.world.steps.length = 0;
    run.world.drained = false;
    run.world.edit({ desiredState: 'Paused' });
    await run.signal();
    await run.untilReached('Paused');
    assert.deepEqual([...run.world.stages.values()], [0, 0]);
    assert.ok(!run.world.steps.includes('wait until what was read is written'));
    assert.equal(run.world.statuses.at(-1)?.patch.phase, 'Paused');
  });

  it('stops: ingestors first, then what was read is written, then the sinks', async () => {
    await run.provision();
    run.world.steps.length = 0;
    run.world.edit({ desiredState: 'Stopped' });
    await run.signal();
    await run.untilReached('Stopped');
    const { steps } = run.world;
    const drained = steps.indexOf('wait until what was read is written');
    assert.ok(steps.indexOf('wait until ingestor/orders is gone') < drained);
    assert.ok(drained < steps.indexOf('stop sink/warehouse'));
  });

  it('stops without starting a sink again for records that the spec gives up', async () => {
    for (const deletionPolicy of ['Drain', 'Immediate'] as const) {
      run.world.edit({ desiredState: 'Running', stages: spec().stages });
      await (run.world.calls.length === 0 ? run.provision() : run.signal());
      await run.untilReached('Running');
      run.world.edit({ desiredState: 'Paused' });
      await run.signal();
      await run.untilReached('Paused');
      run.world.steps.length = 0;
      run.world.edit({ desiredState: 'Stopped', deletionPolicy, stages: spec().stages.slice(0, 1) });
      await run.signal();
      await run.untilReached('Stopped');
      assert.equal(run.world.steps.includes('run sink/warehouse to drain'), deletionPolicy === 'Drain');
    }
  });

  it('a stop that waits for a sink makes way for a spec that gives it up, and for one that has it again', async () => {
    await run.provision();
    run.world.drained = false;
    run.world.edit({ desiredState: 'Stopped' });
    await run.signal();
    await eventually(() => run.world.calls.includes('waitDrained'));
    run.world.edit({ deletionPolicy: 'Immediate', stages: spec().stages.slice(0, 1) });
    await run.signal();
    await run.untilReached('Stopped');
    run.world.edit({ desiredState: 'Paused' });
    await run.signal();
    await run.untilReached('Paused');
    run.world.steps.length = 0;
    run.world.edit({ desiredState: 'Stopped', deletionPolicy: 'Drain', stages: spec().stages });
    await run.signal();
    await eventually(() => run.world.steps.includes('wait until what was read is written'));
    assert.ok(run.world.steps.includes('run sink/warehouse to drain'));
  });

  it('resumes with the spec as it is now', async () => {
    await run.provision();
    run.world.edit({ desiredState: 'Paused' });
    await run.signal();
    await run.untilReached('Paused');
    run.world.edit({ desiredState: 'Running' });
    await run.signal();
    await run.untilReached('Running');
    assert.deepEqual([...run.world.stages.values()], [1, 1]);
    assert.deepEqual(await run.operations(), ['provision done', 'pause done', 'resume done']);
  });

  it('O2: a removed stage is drained with the old plan before the new one is applied', async () => {
    await run.provision();
    run.world.steps.length = 0;
    run.world.edit({
      stages: [
        { name: 'ingestor-orders', kind: 'ingestor', replicas: 1 },
        { name: 'sink-other', kind: 'sink', replicas: 1 },
      ],
    });
    await run.signal();
    await run.untilReached('Running');
    const { steps } = run.world;
    assert.ok(steps.indexOf('wait until what was read is written') < steps.indexOf('apply the plan'));
    assert.ok(steps.includes('remove sink/warehouse'));
    assert.deepEqual([...run.world.stages.keys()].sort(), ['ingestor-orders', 'sink-other']);
  });

  it('tears down in order and completes; the finalizer goes last', async () => {
    await run.provision();
    run.world.steps.length = 0;
    run.world.edit({ deleting: true });
    await run.signal(true);
    await run.handle.result();
    assert.deepEqual(run.world.steps, [
      'find what there is',
      'list live stages',
      'stop ingestor/orders',
      'wait until ingestor/orders is gone',
      'wait until what was read is written',
      'stop sink/warehouse',
      'wait until sink/warehouse is gone',
      'delete streams',
      'delete namespace pipeline-orders-abc123',
      'wait until namespace pipeline-orders-abc123 is gone',
      'forget leases and reports',
      'remove the finalizer',
    ]);
    assert.equal((await run.handle.describe()).status.name, 'COMPLETED');
  });

  it('X5: with deletionPolicy Orphan everything stays, and is marked as left on purpose', async () => {
    await run.provision();
    run.world.steps.length = 0;
    run.world.edit({ deleting: true, deletionPolicy: 'Orphan' });
    await run.signal(true);
    await run.handle.result();
    const steps = ['find what there is', 'mark what is left on purpose', 'remove the finalizer'];
    assert.deepEqual(run.world.steps, steps);
    assert.deepEqual([...run.world.stages.values()], [1, 1]);
  });

  it('H3: told that there is no resource, it looks for itself, twice, and takes down what there is', async () => {
    await run.provision();
    run.world.steps.length = 0;
    run.world.resource = undefined;
    await run.signal();
    await run.handle.result();
    assert.deepEqual(run.world.steps.slice(0, 2), ['find what there is', 'find what there is']);
    assert.ok(run.world.steps.includes('delete streams'));
  });

  it('H3: told that there is no resource although there is, it goes on as before', async () => {
    await run.provision();
    const operations = await run.operations();
    const { resource } = run.world;
    run.world.resource = undefined;
    // The controller is wrong: what the entity reads is right.
    const told = run.signal();
    run.world.resource = resource;
    await told;
    await run.until(({ wanted, running }) => running === null && !wanted.look && wanted.generation === 1);
    assert.deepEqual(await run.operations(), operations);
  });

  it('X3: a deletion that waits for a dead sink goes on when the policy becomes Immediate', async () => {
    await run.provision();
    run.world.drained = false;
    run.world.edit({ deleting: true });
    await run.signal(true);
    await eventually(() => run.world.steps.includes('wait until what was read is written'));
    run.world.edit({ deletionPolicy: 'Immediate' });
    await run.signal(true);
    await run.handle.result();
    assert.equal(run.world.resource, undefined);
  });

  it('N3: a deletion preempts a provision that waits, and only teardown follows', async () => {
    run.world.hold('waitStage');
    await run.signal();
    await eventually(() => run.world.calls.includes('waitStage'));
    run.world.edit({ deleting: true });
    await run.signal(true);
    await run.handle.result();
    assert.equal(run.world.resource, undefined);
    assert.ok(!run.world.steps.includes('apply ingestor/orders'));
  });

  it('N3: a pause preempts a provision that waits', async () => {
    run.world.hold('waitStage');
    await run.signal();
    await eventually(() => run.world.calls.includes('waitStage'));
    run.world.edit({ desiredState: 'Paused' });
    await run.signal();
    await run.untilReached('Paused');
    assert.deepEqual(await run.operations(), ['provision preempted', 'pause done']);
  });

  it('O7: a provision that waits for a Secret looks at once when it is told of one', async () => {
    run.world.failWith('copyCredentials', 'MR_SECRET_MISSING', false);
    await run.signal();
    const looks = () => run.world.calls.filter((name) => name === 'copyCredentials').length;
    await eventually(() => looks() >= 2);
    run.world.recover('copyCredentials');
    const { running } = await run.state();
    const id = operationWorkflowId(run.id, running?.seq ?? 0, 'provision', running?.generation ?? 0);
    const provision = run.temporal.client.workflow.getHandle(id);
    await provision.signal('referencedChanged');
    await run.untilReached('Running');
    assert.deepEqual(await run.operations(), ['provision done']);
    const { events = [] } = await provision.fetchHistory();
    const begun = events?.filter(
      ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name === 'copyCredentials',
    );
    assert.equal(begun?.length, 2, 'the step began anew, and did not wait for the pause to end');
  });

  for (const isPreempted of [false, true]) {
    const what = isPreempted ? 'a pause preempts a provision' : 'O7: a provision looks again';
    it(`${what} although the attempt that was cancelled failed before it heard of that`, async () => {
      run.world.failWith('copyCredentials', 'MR_SECRET_MISSING', false);
      run.world.unserved.add('copyCredentials');
      await run.signal();
      await eventually(() => run.world.calls.includes('copyCredentials'));
      const { running } = await run.state();
      const id = operationWorkflowId(run.id, running?.seq ?? 0, 'provision', running?.generation ?? 0);
      const provision = run.temporal.client.workflow.getHandle(id);
      if (isPreempted) {
        run.world.edit({ desiredState: 'Paused' });
        await run.signal();
      } else await provision.signal('referencedChanged');
      const isAsked = async () =>
        (await provision.fetchHistory()).events?.some(
          ({ activityTaskCancelRequestedEventAttributes: asked }) => asked !== null && asked !== undefined,
        ) === true;
      await eventually(isAsked);
      run.world.unserved.delete('copyCredentials');
      if (!isPreempted)
        await eventually(() => run.world.calls.filter((name) => name === 'copyCredentials').length >= 2);
      run.world.recover('copyCredentials');
      await run.untilReached(isPreempted ? 'Paused' : 'Running');
      assert.deepEqual(
        await run.operations(),
        isPreempted ? ['provision preempted', 'pause done'] : ['provision done'],
      );
    });
  }

  it('an edit preempts a provision that waits for a Secret', async () => {
    run.world.failWith('copyCredentials', 'MR_SECRET_MISSING', false);
    await run.signal();
    await eventually(() => run.world.calls.includes('copyCredentials'));
    run.world.edit({});
    run.world.recover('copyCredentials');
    await run.signal();
    await run.untilReached('Running');
  });

  it('a spec that is not valid is refused once, and the next generation is carried out', async () => {
    run.world.invalid = 'MR_SPEC_INVALID';
    await run.signal();
    await run.until(({ refused }) => refused?.code === 'MR_SPEC_INVALID');
    await eventually(() => run.world.statuses.length > 0);
    const refusal = run.world.statuses.at(-1);
    assert.equal(refusal?.patch.conditions?.find(({ type }) => type === 'Accepted')?.reason, 'SpecInvalid');
    assert.equal(refusal.patch.observedGeneration, 1);
    const reads = run.world.calls.filter((name) => name === 'fetchSpec').length;
    await run.signal();
    await run.state();
    assert.equal(run.world.calls.filter((name) => name === 'fetchSpec').length, reads);
    run.world.invalid = undefined;
    run.world.edit({});
    await run.signal();
    await run.untilReached('Running');
  });

  it('what refuses a step of carrying a spec out refuses the spec: it is not accepted', async () => {
    await run.provision();
    run.world.failWith('ensureStreams', 'MR_SOURCE_NOT_GONE', true);
    run.world.edit({});
    await run.signal();
    await run.until(({ failure, running }) => failure?.code === 'MR_SOURCE_NOT_GONE' && running === null);
    await eventually(() => run.world.statuses.at(-1)?.event?.reason === 'SourceNotGone');
    const { patch } = run.world.statuses.at(-1) ?? {};
    const said = patch?.conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`);
    assert.ok(said?.includes('Accepted False SourceNotGone'), said?.join());
    assert.equal(patch?.acceptedGeneration, undefined);
    assert.deepEqual(
      run.world.calls.filter((name) => name === 'applyPlan' || name === 'takeBackPlan'),
      ['applyPlan', 'applyPlan', 'takeBackPlan'],
    );
  });

  it('W1: that what runs is not ready any more, the controller says, together with Ready', async () => {
    await run.provision();
    run.world.invalid = 'MR_SPEC_INVALID';
    run.world.edit({});
    await run.signal();
    await eventually(() => run.world.statuses.at(-1)?.event?.reason === 'SpecInvalid');
    assert.equal(run.world.statuses.at(-1)?.patch.phase, undefined);
  });

  it('D5: the generation of a refused first spec is in the lists', async () => {
    run.world.invalid = 'MR_SPEC_INVALID';
    await run.signal();
    const { client } = run.temporal;
    const query = `PipelineGeneration = 1 AND PipelinePhase = 'Failed' AND WorkflowId = '${run.id}'`;
    await eventually(async () => {
      for await (const found of client.workflow.list({ query })) return found;
      throw new Error('not listed yet');
    });
  });

  it('N8: a refused spec pauses the pipeline all the same, and is still refused afterwards', async () => {
    await run.provision();
    run.world.invalid = 'MR_SPEC_INVALID';
    run.world.edit({ desiredState: 'Paused' });
    await run.signal();
    await run.until(({ actual, running }) => actual.is === 'Paused' && running === null);
    assert.deepEqual([...run.world.stages.values()], [0, 0]);
    assert.deepEqual(await run.operations(), ['provision done', 'pause done']);
    await eventually(() => run.world.statuses.at(-1)?.event?.reason === 'SpecInvalid');
    const paused = run.world.statuses.findLast(({ patch }) => patch.phase === 'Paused');
    assert.ok(!paused?.patch.conditions?.some(({ type }) => type === 'Accepted'));
    assert.match(run.world.statuses.at(-1)?.event?.note ?? '', /MR_SPEC_INVALID happened/);
  });

  it('N8: new credentials are copied for what was accepted, while the newest spec is refused', async () => {
    await run.provision();
    run.world.invalid = 'MR_SPEC_INVALID';
    run.world.edit({});
    await run.signal();
    await run.until(({ refused }) => refused?.generation === 2);
    run.world.steps.length = 0;
    await run.handle.signal('credentialsChanged');
    await run.until(({ history, running }) => history.length === 2 && running === null);
    assert.deepEqual(await run.operations(), ['provision done', 'repair done']);
    assert.ok(run.world.steps.includes('copy credentials'));
    assert.ok(!run.world.steps.includes('record the revision'));
  });

  it('X4: a pipeline that one read finds gone, and the next one finds, is not touched', async () => {
    await run.provision();
    run.world.steps.length = 0;
    run.world.blindReads = 1;
    run.world.edit({});
    await run.signal();
    await run.untilReached('Running');
    assert.deepEqual(await run.operations(), ['provision done', 'teardown notDeleted', 'reconfigure done']);
    assert.ok(!run.world.steps.some((step) => /^(stop|delete|remove the)/.test(step)), run.world.steps.join('\n'));
    assert.ok(!run.world.statuses.some(({ patch }) => patch.phase === 'Deleting'));
  });

  it('X4: what is gone is taken down after a second look, seconds later', async () => {
    await run.provision();
    run.world.steps.length = 0;
    run.world.resource = undefined;
    await run.handle.signal('specChanged', { generation: 0, deleting: false });
    await run.handle.result();
    const { events } = await run.temporal.client.workflow.getHandle(`${run.id}/op/2-teardown-g1`).fetchHistory();
    assert.equal(events?.filter(({ timerFiredEventAttributes }) => timerFiredEventAttributes).length, 1);
    assert.equal(run.world.calls.filter((name) => name === 'locatePipeline').length, 2);
    assert.ok(run.world.steps.includes('delete streams'));
  });

  it('X4: an activity that finds the pipeline alive ends the teardown, and the pipeline goes on', async () => {
    await run.provision();
    run.world.edit({ deleting: true });
    run.world.failWith('deleteStreams', 'MR_PIPELINE_NOT_DELETED', true);
    run.world.hold('deleteStreams');
    await run.signal(true);
    await eventually(() => run.world.calls.includes('deleteStreams'));
    run.world.edit({ deleting: false });
    run.world.release('deleteStreams');
    await run.untilReached('Running');
    assert.deepEqual(await run.operations(), ['provision done', 'teardown notDeleted', 'reconfigure done']);
    assert.deepEqual([...run.world.stages.values()], [1, 1]);
  });

  for (const [step, code] of [
    ['waitStage', 'MR_OBJECT_VANISHED'],
    ['retireStages', 'MR_STAGE_BEHIND_AGAIN'],
  ] as const)
    it(`O4: an operation whose ground is taken away (${code}) begins its steps again`, async () => {
      run.world.failWith(step, code, true);
      await run.signal();
      await eventually(() => run.world.calls.filter((name) => name === 'ensureNamespace').length > 1);
      run.world.recover(step);
      await run.untilReached('Running');
      assert.deepEqual(await run.operations(), ['provision done']);
    });

  it('Y5: an operation that nobody serves does not hold up a deletion', async () => {
    run.settings = { abandonAfterMs: 300 };
    run.world.unserved.add('waitStage');
    await run.signal();
    await eventually(() => run.world.calls.includes('waitStage'));
    run.world.edit({ deleting: true });
    await run.signal(true);
    await run.handle.result();
    assert.equal(run.world.resource, undefined);
    run.world.unserved.clear();
  });

  it('a run that a terminated entity has left under the next id does not stop the new entity', async () => {
    const { workflow } = run.temporal.client;
    const left = await workflow.start('provision', {
      taskQueue: 'nobody-serves-this',
      workflowId: `${run.id}/op/1-provision-g1`,
      args: [{}],
    });
    await run.provision();
    assert.deepEqual(await run.operations(), ['provision occupied', 'provision done']);
    await left.terminate();
  });

  it('Y4 N4: a failed operation leaves the entity waiting; retryNow tries again', async () => {
    run.world.failWith('ensureNamespace', 'MR_KUBERNETES_REFUSED', true);
    await run.signal();
    await run.until(({ failure, running }) => failure?.code === 'MR_KUBERNETES_REFUSED' && running === null);
    await eventually(() => run.world.statuses.at(-1)?.patch.phase === 'Failed');
    run.world.recover('ensureNamespace');
    const input = { requestId: 'r1' };
    assert.deepEqual(await run.handle.executeUpdate('retryNow', { args: [input] }), { accepted: true });
    await run.untilReached('Running');
  });

  it('retryRequested: the same by a signal, counted once', async () => {
    run.world.failWith('ensureNamespace', 'MR_KUBERNETES_REFUSED', true);
    await run.signal();
    await run.until(({ failure, running }) => failure !== null && running === null);
    run.world.recover('ensureNamespace');
    await run.handle.signal('retryRequested', { requestId: 'r1' });
    await run.untilReached('Running');
    await run.handle.signal('retryRequested', { requestId: 'r1' });
    assert.deepEqual(await run.operations(), ['provision failed', 'provision done']);
  });

  it('N4: drift wakes a pipeline whose operation has failed', async () => {
    run.world.failWith('ensureNamespace', 'MR_KUBERNETES_REFUSED', true);
    await run.signal();
    await run.until(({ failure, running }) => failure !== null && running === null);
    run.world.recover('ensureNamespace');
    await run.handle.signal('driftDetected', { what: 'The Deployment of sink-warehouse was deleted.' });
    await run.untilReached('Running');
  });

  it('N7: an entity that drift has started reads, and carries out what it finds', async () => {
    await run.temporal.client.workflow.signalWithStart('pipelineLifecycle', {
      workflowId: run.id,
      taskQueue: run.taskQueue,
      args: [{ pipeline: run.pipeline }],
      signal: 'driftDetected',
      signalArgs: [{ what: 'The Deployment of sink-warehouse was deleted.' }],
    });
    await run.untilReached('Running');
  });

  it('retryNow: a request that is sent again after the entity continued as new is still one request', async () => {
    run.world.failWith('ensureNamespace', 'MR_KUBERNETES_REFUSED', true);
    await run.signal();
    const failed = () => run.until(({ failure, running }) => failure !== null && running === null);
    await failed();
    await run.handle.executeUpdate('retryNow', { args: [{ requestId: 'r1' }] });
    await run.until(({ history }) => history.length === 2);
    await failed();
    const { runId } = await run.handle.describe();
    await run.handle.signal('forceContinueAsNew');
    await eventually(async () => (await run.handle.describe()).runId !== runId);
    await run.handle.executeUpdate('retryNow', { args: [{ requestId: 'r1' }] });
    assert.equal((await run.state()).history.length, 2);
    await run.handle.executeUpdate('retryNow', { args: [{ requestId: 'r2' }] });
    await run.until(({ history }) => history.length === 3);
  });

  it('N6: repairs what others changed, with the reason in lists and events', async () => {
    await run.provision();
    await run.handle.signal('driftDetected', { what: 'The Deployment of sink-warehouse was deleted.' });
    await run.until(({ history }) => history.length === 2);
    assert.deepEqual(await run.operations(), ['provision done', 'repair done']);
    const child = await run.temporal.client.workflow.getHandle(`${run.id}/op/2-repair-g1`).describe();
    assert.equal(await child.staticSummary(), 'repair shop/orders (g1): The Deployment of sink-warehouse was deleted.');
    const begun = run.world.statuses.findLast(({ event }) => event?.reason === 'Repairing');
    assert.equal(begun?.patch.phase, 'Repairing');
    assert.match(begun.event?.note ?? '', /sink-warehouse was deleted/);
  });

  it('N6: the repair of a paused pipeline stops what was started, and applies nothing', async () => {
    await run.provision();
    run.world.edit({ desiredState: 'Paused' });
    await run.signal();
    await run.untilReached('Paused');
    run.world.steps.length = 0;
    run.world.stages.set('sink-warehouse', 2);
    await run.handle.signal('driftDetected', { what: 'Deployment sink-warehouse was scaled to 2.' });
    await run.until(({ history }) => history.length === 3);
    assert.deepEqual([...run.world.stages.values()], [0, 0]);
    assert.ok(!run.world.steps.some((step) => step.startsWith('apply')));
  });

  it('shows why it is not ready, and that it is again, and decides nothing by it', async () => {
    await run.provision();
    const calls = run.world.calls.length;
    const shown = async () => {
      const { typedSearchAttributes } = await run.handle.describe();
      const phase = typedSearchAttributes.get(pipelinePhase);
      return { state: typedSearchAttributes.get(pipelineState), phase };
    };
    const readiness = { isReady: false, reason: 'SinkAuthRejected', message: 'no', since: '2026-01-01T00:00:00Z' };
    await run.handle.signal('readinessChanged', readiness);
    await eventually(async () => assert.equal((await shown()).state, 'SinkAuthRejected'));
    assert.equal((await shown()).phase, 'NotReady');
    const metadata = await run.handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
    assert.match(metadata.currentDetails ?? '', /is \*\*NotReady\*\*[^]*Not ready since 2026.*`SinkAuthRejected`, no/);
    await run.handle.signal('readinessChanged', { ...readiness, isReady: true, reason: 'Running' });
    await eventually(async () => assert.equal((await shown()).state, 'Running'));
    assert.equal(run.world.calls.length, calls);
  });

  it('what was said of the readiness before an operation is forgotten with it', async () => {
    await run.provision();
    const readiness = { isReady: false, reason: 'SinkAuthRejected', message: 'no', since: '2026-01-01T00:00:00Z' };
    await run.handle.signal('readinessChanged', readiness);
    await run.until((state) => state.readiness !== undefined);
    run.world.edit({});
    await run.signal();
    assert.equal((await run.untilReached('Running')).readiness, undefined);
  });

  it('retryNow is refused when nothing has failed', async () => {
    await run.provision();
    await assert.rejects(
      run.handle.executeUpdate('retryNow', { args: [{ requestId: 'r1' }] }),
      WorkflowUpdateFailedError,
    );
  });

  it('converges again when credentials have changed', async () => {
    await run.provision();
    await run.handle.signal('credentialsChanged');
    await run.until(({ history }) => history.length === 2);
    await run.untilReached('Running');
    assert.deepEqual(await run.operations(), ['provision done', 'reconfigure done']);
  });

  it('starts over when the resource moved on before the operation had read it', async () => {
    run.world.hold('fetchSpec');
    await run.signal();
    await eventually(() => run.world.calls.includes('fetchSpec'));
    run.world.edit({});
    run.world.release('fetchSpec');
    await run.signal();
    await run.untilReached('Running');
  });

  it('Y3: continues as new when idle and asked, with its state', async () => {
    await run.provision();
    const { runId } = await run.handle.describe();
    await run.handle.signal('forceContinueAsNew');
    await eventually(async () => (await run.handle.describe()).runId !== runId);
    const state = await run.untilReached('Running');
    assert.equal(state.lastSeq, 1);
    assert.ok((await run.events()) <= 6);
    run.world.edit({ desiredState: 'Paused' });
    await run.signal();
    await run.untilReached('Paused');
  });

  it('a new entity of an old pipeline converges once and goes on counting', async () => {
    await run.provision();
    await run.handle.terminate('by hand');
    await run.signal();
    await run.untilReached('Running');
    assert.equal((await run.state()).lastSeq, 2);
    assert.deepEqual(await run.operations(), ['reconfigure done']);
  });

  it('reads well in lists: search attributes, memo, summaries', async () => {
    await run.provision();
    const found = await eventually<WorkflowExecutionInfo>(async () => {
      const { client } = run.temporal;
      const query = `PipelineName = 'orders' AND PipelinePhase = 'Running' AND WorkflowId = '${run.id}'`;
      for await (const workflow of client.workflow.list({ query })) return workflow;
      throw new Error('not listed yet');
    });
    assert.equal(found.memo?.['description'], 'kafka → clickhouse');
    const child = await run.temporal.client.workflow.getHandle(`${run.id}/op/1-provision-g1`).describe();
    assert.equal(child.type, 'provision');
    assert.equal(await child.staticSummary(), 'provision shop/orders (g1)');
    assert.deepEqual(
      [child.typedSearchAttributes.get(pipelineName), child.typedSearchAttributes.get(pipelinePhase)],
      ['orders', 'Provisioning'],
    );
    const { events } = await run.temporal.client.workflow.getHandle(`${run.id}/op/1-provision-g1`).fetchHistory();
    const summaries = (events ?? []).flatMap(({ userMetadata }) => {
      const data = userMetadata?.summary?.data;
      return data == null ? [] : [String(JSON.parse(Buffer.from(data).toString()))];
    });
    assert.ok(summaries.includes('apply sink/warehouse (g1)'), summaries.join('\n'));
  });
});
