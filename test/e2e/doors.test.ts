import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { eventually } from '../support/eventually.ts';
import { expectedOrders, Topic } from './support/orders.ts';
import { ordersPipeline, ordersSpec } from './support/pipelines.ts';
import { getPipeline, untilCondition, untilGone } from './support/resource.ts';
import { useStack } from './support/stack.ts';

const records = 20_000;

describe('three doors, one path', function () {
  const stack = useStack();
  let directory: string;

  before(async () => {
    const { kafkaBrokers } = stack();
    directory = await mkdtemp(join(tmpdir(), 'millrace-doors-'));
    const topic = new Topic(kafkaBrokers, 'doors', 4);
    await topic.create();
    await topic.produceOrders(0, records);
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const options = (name: string) => ({
    name,
    brokers: stack().kafkaBrokers,
    topic: 'doors',
    clickhouseUrl: stack().clickhouseUrl,
    table: name.replaceAll('-', '_'),
  });

  it('REST: PUT applies, answers 202 with an operation, and DELETE takes it down', async () => {
    const { apiUrl, apiToken } = stack();
    const url = `${apiUrl}/v1/namespaces/default/pipelines/by-rest`;
    const put = await fetch(url, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', ...apiToken },
      body: JSON.stringify(ordersPipeline(options('by-rest'))),
    });
    assert.equal(put.status, 202, await put.text());
    await arrivesAndIsOneEntity('by-rest');
    const deleted = await fetch(url, { method: 'DELETE', headers: apiToken });
    assert.equal(deleted.status, 202);
    await untilGone(stack().kubectl, 'by-rest');
  });

  it('CLI: apply --wait shows each step and ends when it is ready; delete --wait ends when it is gone', async () => {
    const file = join(directory, 'by-cli.yaml');
    await writeFile(file, JSON.stringify(ordersPipeline(options('by-cli'))));
    const applied = await millrace(['apply', file, '--wait', '--timeout', '60s']);
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stderr + applied.stdout, /by-cli/);
    await arrivesAndIsOneEntity('by-cli');
    const deleted = await millrace(['delete', 'by-cli', '--wait', '--timeout', '90s']);
    assert.equal(deleted.code, 0, deleted.stderr);
    assert.equal(await getPipeline(stack().kubectl, 'by-cli'), undefined);
  });

  it('Temporal: applyPipeline, started by the plain client, returns when Ready; deletePipeline when gone', async () => {
    const connection = await Connection.connect({ address: stack().temporalAddress });
    try {
      const client = new Client({ connection });
      const result: unknown = await client.workflow.execute('applyPipeline', {
        taskQueue: 'pipelines',
        workflowId: 'apply-by-temporal',
        args: [{ name: 'by-temporal', namespace: 'default', spec: ordersSpec(options('by-temporal')) }],
        workflowExecutionTimeout: '60s',
      });
      assert.match(JSON.stringify(result), /Running/);
      await arrivesAndIsOneEntity('by-temporal');
      await client.workflow.execute('deletePipeline', {
        taskQueue: 'pipelines',
        workflowId: 'delete-by-temporal',
        args: [{ name: 'by-temporal', namespace: 'default' }],
        workflowExecutionTimeout: '90s',
      });
      assert.equal(await getPipeline(stack().kubectl, 'by-temporal'), undefined);
    } finally {
      await connection.close();
    }
  });

  async function arrivesAndIsOneEntity(name: string): Promise<void> {
    const { kubectl, warehouse, temporalAddress } = stack();
    const pipeline = await untilCondition(kubectl, name, 'Ready', { status: 'True', reason: 'Running' });
    const table = name.replaceAll('-', '_');
    const expected = expectedOrders(0, records);
    await eventually(async () => assert.equal(await warehouse.count(table), expected.rows));
    assert.deepEqual(await warehouse.totals(table), { rows: expected.rows, ids: expected.rows, total: expected.total });

    const connection = await Connection.connect({ address: temporalAddress });
    try {
      const client = new Client({ connection });
      await eventually(async () => {
        const { count } = await client.workflow.count(
          `PipelineName = '${name}' AND WorkflowType = 'pipelineLifecycle'`,
        );
        assert.equal(count, 1, 'one entity workflow');
      });
      const entity = await client.workflow
        .getHandle(`pipeline/default/${name}/${pipeline.metadata.uid ?? ''}`)
        .describe();
      assert.equal(entity.status.name, 'RUNNING');
    } finally {
      await connection.close();
    }
  }

  async function millrace(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return await new Promise((resolve, reject) => {
      execFile(
        process.execPath,
        [join(import.meta.dirname, '../../cli/millrace.ts'), ...args],
        { env: { ...process.env, KUBECONFIG: stack().kubeconfig } },
        (error, stdout, stderr) => {
          if (error !== null && typeof error.code !== 'number')
            reject(new Error('millrace did not run', { cause: error }));
          else resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
        },
      );
    });
  }
});
