import assert from 'node:assert/strict';
import { freePort } from '../../../local/ports.ts';
import { temporalRuns, type OperationRuns } from '../../../workers/api/operation-runs.ts';
import { temporalServer, type TemporalServer } from '../../workflows/temporal-server.ts';

describe("what Temporal knows of an operation's workflow", function () {
  this.timeout(60_000);
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

  it('MR_ENGINE_UNAVAILABLE while Temporal does not answer', async () => {
    const nowhere = temporalRuns({ address: `127.0.0.1:${await freePort()}`, namespace: 'default', uiUrl: undefined });
    try {
      assert.equal(await nowhere.isReachable(), false);
      await assert.rejects(nowhere.describe('x'), /MR_ENGINE_UNAVAILABLE/);
    } finally {
      await nowhere.close();
    }
    assert.equal(await runs.isReachable(), true);
  });
});
