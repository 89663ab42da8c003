import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { freePort } from '../../../deploy/local/ports.ts';
import { startTemporal, type Temporal } from '../../../deploy/local/parts/temporal.ts';
import { temporalRuns, type OperationRuns } from '../../../workers/api/operation-runs.ts';

describe("what Temporal knows of an operation's workflow", function () {
  this.timeout(60_000);
  let dir: string;
  let temporal: Temporal;
  let connection: Connection;
  let client: Client;
  let runs: OperationRuns;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-runs-'));
    temporal = await startTemporal({ dir, port: await freePort(), uiPort: await freePort() });
    connection = await Connection.connect({ address: temporal.address });
    client = new Client({ connection });
    runs = temporalRuns({ address: temporal.address, namespace: 'default', uiUrl: temporal.uiUrl });
  });
  after(async () => {
    await runs.close();
    await connection.close();
    await temporal.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** No worker takes it: it stays as the test leaves it. */
  const start = (workflowId: string, timeout = '1h' as const) =>
    client.workflow.start('provision', { workflowId, taskQueue: 'nobody', workflowExecutionTimeout: timeout });

  it('Running, with a link to Temporal UI', async () => {
    const id = 'pipeline/shop/orders/6f1c/op/1-provision-g1';
    const { firstExecutionRunId } = await start(id);
    const run = await runs.describe(id);
    assert.equal(run?.state, 'Running');
    assert.ok(run.startedAt);
    assert.equal(
      run.url,
      `${temporal.uiUrl}/namespaces/default/workflows/${encodeURIComponent(id)}/${firstExecutionRunId}`,
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
