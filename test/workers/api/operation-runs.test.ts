import assert from 'node:assert/strict';
import { freePort } from '../../../local/ports.ts';
import { temporalRuns, type OperationRuns } from '../../../workers/api/operation-runs.ts';
import { EntityRun } from '../../workflows/entity-run.ts';
import { temporalServer, type TemporalServer } from '../../workflows/temporal-server.ts';

describe("what Temporal knows of an operation's workflow", function () {
  let temporal: TemporalServer;
  let runs: OperationRuns;

  before(async () => {
    temporal = await temporalServer();
    runs = temporalRuns({ address: temporal.address, namespace: 'default', uiUrl: temporal.server.uiUrl });
  });
  after(() => runs.close());

  /** No worker takes it: it stays as the test leaves it. */
  const start = (workflowId: string, timeout = '1h' as const) =>
    temporal.client.workflow.start('provision', { workflowId, taskQueue: 'nobody', workflowExecutionTimeout: timeout });

  it('Running, with a link to Temporal UI', async () => {
    const id = 'pipeline/shop/orders/6f1c/op/1-provision-g1';
    const { firstExecutionRunId } = await start(id);
    const run = await runs.describe(id);
    assert.equal(run?.state, 'Running');
    assert.ok(run.startedAt);
    assert.equal(
      run.url,
      `${temporal.server.uiUrl}/namespaces/default/workflows/${encodeURIComponent(id)}/${firstExecutionRunId}`,
    );
  });

  it('Cancelled when another operation took its place or someone ended it', async () => {
    const id = 'pipeline/shop/orders/6f1c/op/2-pause-g2';
    await (await start(id)).terminate();
    const run = await runs.describe(id);
    assert.equal(run?.state, 'Cancelled');
    assert.ok(run.finishedAt);
  });

  it('nothing when Temporal does not know the workflow', async () => {
    assert.equal(await runs.describe('pipeline/shop/orders/6f1c/op/9-pause-g9'), null);
  });

  it('refuses to try again a pipeline for which nothing runs', async () => {
    const pipeline = { namespace: 'shop', name: 'none', uid: '6f1c' };
    await assert.rejects(runs.retry(pipeline, 'r1'), /MR_RETRY_REFUSED: .*Temporal runs no workflow of it/);
  });

  it('MR_ENGINE_UNAVAILABLE while Temporal does not answer', async () => {
    const nowhere = temporalRuns({ address: `127.0.0.1:${await freePort()}`, namespace: 'default', uiUrl: undefined });
    try {
      assert.equal(await nowhere.isReachable(), false);
      await assert.rejects(nowhere.describe('x'), /MR_ENGINE_UNAVAILABLE/);
      await assert.rejects(nowhere.retry({ namespace: 'a', name: 'b', uid: 'c' }, 'r1'), /MR_ENGINE_UNAVAILABLE/);
    } finally {
      await nowhere.close();
    }
    assert.equal(await runs.isReachable(), true);
  });
});

describe('a retry of what failed, on a real entity', function () {
  let run: EntityRun;
  let runs: OperationRuns;

  beforeEach(async () => {
    run = await EntityRun.start();
    runs = temporalRuns({ address: run.temporal.address, namespace: 'default', uiUrl: undefined });
  });
  afterEach(async () => {
    await runs.close();
    await run.stop();
  });

  it('is taken by the entity, and one request however often it is sent', async () => {
    run.world.failWith('ensureNamespace', 'MR_KUBERNETES_REFUSED', true);
    await run.signal();
    await run.until(({ failure, running }) => failure !== null && running === null);
    run.world.recover('ensureNamespace');
    await runs.retry(run.pipeline, 'r1');
    await runs.retry(run.pipeline, 'r1');
    await run.untilReached('Running');
    assert.equal((await run.state()).history.length, 2);
  });

  it('is refused in the words of the entity when nothing has failed', async () => {
    await run.provision();
    await assert.rejects(runs.retry(run.pipeline, 'r1'), /MR_RETRY_REFUSED: .*is not retried: nothing has failed/);
  });
});
