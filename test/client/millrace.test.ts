import assert from 'node:assert/strict';
import { definePipeline, Millrace, MillraceProblem, NotSettled, type PipelineDefinition } from '../../client/index.ts';
import { freePort } from '../../local/ports.ts';
import type { Api } from '../../workers/api/api.ts';
import { eventually } from '../support/eventually.ts';
import { apiOn } from '../workers/api/api.ts';
import { condition, converged, useCluster } from '../workers/api/cluster.ts';

describe('the client of the package', () => {
  const cluster = useCluster();
  let api: Api;
  let millrace: Millrace;
  let namespace: string;
  let orders: PipelineDefinition;

  before(async () => {
    api = await apiOn(cluster().kube);
    millrace = await Millrace.connect({ api: await api.listen({ host: '127.0.0.1', port: 0 }) });
  });
  beforeEach(async () => {
    namespace = await cluster().namespace();
    orders = definePipeline({
      name: 'orders',
      namespace,
      labels: { team: 'shop' },
      spec: {
        sources: [{ name: 'orders', generator: { rate: 10 } }],
        sinks: [{ name: 'warehouse', clickhouse: { url: 'http://127.0.0.1:8123', table: 'orders' } }],
      },
    });
  });
  after(async () => {
    await millrace.close();
    await api.close();
  });

  const at = () => ({ name: 'orders', namespace });

  it('apply gives the generation that is to be carried out', async () => {
    assert.equal((await millrace.pipelines.apply(orders)).generation, 1);
  });

  it('get gives the resource as it was applied', async () => {
    await millrace.pipelines.apply(orders);
    const { metadata, spec } = await millrace.pipelines.get(at());
    assert.equal(metadata.labels?.['team'], 'shop');
    assert.equal(spec.desiredState, 'Running');
  });

  it('get of a pipeline that does not exist is refused with the code of the table', async () => {
    await assert.rejects(
      millrace.pipelines.get(at()),
      (error) => error instanceof MillraceProblem && error.code === 'MR_PIPELINE_NOT_FOUND',
    );
  });

  it('pause changes the desired state of the resource', async () => {
    await millrace.pipelines.apply(orders);
    await millrace.pipelines.pause(at());
    assert.equal((await millrace.pipelines.get(at())).spec.desiredState, 'Paused');
  });

  it('resume changes it back', async () => {
    await millrace.pipelines.apply({ ...orders, spec: { ...orders.spec, desiredState: 'Paused' } });
    await millrace.pipelines.resume(at());
    assert.equal((await millrace.pipelines.get(at())).spec.desiredState, 'Running');
  });

  it('delete gives an operation that has succeeded when the resource is gone', async () => {
    await millrace.pipelines.apply(orders);
    const { operation } = await millrace.pipelines.delete(at());
    assert.ok(operation);
    assert.equal((await millrace.pipelines.operation(operation)).state, 'Succeeded');
    await assert.rejects(millrace.pipelines.get(at()), /MR_PIPELINE_NOT_FOUND|There is no pipeline/);
  });

  it('lists page after page', async () => {
    for (const name of ['a', 'b'])
      await millrace.pipelines.apply({ ...orders, metadata: { ...orders.metadata, name } });
    const names: string[] = [];
    for await (const { metadata } of millrace.pipelines.list({ namespace, labelSelector: 'team=shop' }))
      names.push(metadata.name);
    assert.deepEqual(names, ['a', 'b']);
  });

  it('waitReady resolves when the generation is carried out', async () => {
    const { generation } = await millrace.pipelines.apply(orders);
    let looks = 0;
    const ready = millrace.pipelines.waitReady(at(), { generation, onLook: () => looks++ });
    await eventually(() => looks > 0);
    await cluster().writeStatus(namespace, 'orders', converged(1));
    assert.equal((await ready).status?.observedGeneration, 1);
  });

  it('waitReady says why when the change is refused', async () => {
    const { generation } = await millrace.pipelines.apply(orders);
    await cluster().writeStatus(namespace, 'orders', {
      observedGeneration: 1,
      conditions: [condition('Accepted', 'False', 'SpecInvalid')],
    });
    await assert.rejects(
      millrace.pipelines.waitReady(at(), { generation }),
      (error) =>
        error instanceof NotSettled && error.settled.is === 'refused' && /SpecInvalid it is/.test(error.message),
    );
  });

  it('waitReady gives up after its timeout and says what it waits for', async () => {
    await millrace.pipelines.apply(orders);
    await assert.rejects(
      millrace.pipelines.waitReady(at(), { timeoutMs: 1 }),
      /"orders" is not ready \(Pending\): Millrace has not looked at it yet/,
    );
  });

  it('a refusal names each error with its place', async () => {
    const wrong = { ...orders, spec: { ...orders.spec, sinks: [] } };
    await assert.rejects(millrace.pipelines.apply(wrong), (error) => {
      assert.ok(error instanceof MillraceProblem);
      assert.equal(error.isRetryable, false);
      assert.equal(error.problem.errors?.[0]?.pointer, '/spec/sinks');
      return true;
    });
  });

  it('lint gives places in the text', async () => {
    const report = await millrace.pipelines.lint(
      'apiVersion: millrace.io/v1alpha1\nkind: Pipeline\nmetadata: {name: a}\nspek: {}\n',
    );
    assert.equal(report.valid, false);
    assert.ok(report.issues.some(({ line, code }) => line === 4 && code === 'MR_SPEC_UNKNOWN_FIELD'));
  });

  it('something else at the address is said to be that', async () => {
    const nowhere = await Millrace.connect({ api: `http://127.0.0.1:${await freePort()}` });
    await assert.rejects(nowhere.pipelines.get({ name: 'orders' }), /fetch failed/);
    assert.throws(() => nowhere.workflows, /was not given `temporal`/);
  });
});
