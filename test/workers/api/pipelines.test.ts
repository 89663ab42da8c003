import assert from 'node:assert/strict';
import type { InjectOptions } from 'fastify';
import { stringify } from 'yaml';
import {
  changeSchema,
  dryRunSchema,
  operationSchema,
  storedPipeline,
  storedPipelines,
  type Change,
} from '../../../client/wire.ts';
import type { PipelineStatus } from '../../../crds/pipeline.ts';
import { apiVersion, kind } from '../../../model/names.ts';
import type { Api } from '../../../workers/api/api.ts';
import { apiOn, runsOf } from './api.ts';
import { condition, converged, spec, useCluster } from './cluster.ts';

describe('pipelines by REST', () => {
  const cluster = useCluster();
  let api: Api;
  let namespace: string;

  before(async () => {
    api = await apiOn(cluster().kube);
  });
  beforeEach(async () => {
    namespace = await cluster().namespace();
  });
  after(() => api.close());

  const url = (name: string, rest = '') => `/v1/namespaces/${namespace}/pipelines/${name}${rest}`;
  const json = { 'content-type': 'application/json' };

  async function change(request: InjectOptions, status: number): Promise<Change> {
    const response = await api.inject(request);
    assert.equal(response.statusCode, status, response.body);
    const parsed = changeSchema.parse(response.json());
    assert.equal(response.headers.location, parsed.operation?.href);
    return parsed;
  }

  const put = (name: string, body: unknown, status = 202) =>
    change({ method: 'PUT', url: url(name), payload: JSON.stringify(body), headers: json }, status);

  async function get(name: string) {
    return storedPipeline.parse((await api.inject(url(name))).json());
  }

  /** Writes the status as soon as the resource is there, as the lifecycle would. */
  const operationOf = (name: string, uid: string, seq: number, verb: string, generation: number) => ({
    id: `pipeline/${namespace}/${name}/${uid}/op/${seq}-${verb}-g${generation}`,
    type: verb,
    step: 'create namespace',
    startedAt: '2026-05-01T12:00:00Z',
  });

  it('PUT creates the resource and names the change by its generation while nothing is planned', async () => {
    const { operation, generation } = await put('orders', { spec });
    const stored = await get('orders');
    assert.equal(generation, 1);
    assert.equal(operation?.id, `pipeline/${namespace}/orders/${stored.metadata.uid ?? ''}/g1`);
    assert.equal(operation.state, 'Accepted');
    assert.equal(stored.spec.sources[0]?.generator?.rate, 10);
    assert.equal(stored.spec.desiredState, 'Running', 'the CRD fills in defaults');
    assert.equal(stored.metadata['managedFields'], undefined);
  });

  it('PUT takes the whole resource as YAML', async () => {
    const payload = stringify({ apiVersion, kind, metadata: { name: 'orders', labels: { team: 'shop' } }, spec });
    const headers = { 'content-type': 'application/yaml' };
    await change({ method: 'PUT', url: url('orders'), payload, headers }, 202);
    assert.deepEqual((await get('orders')).metadata.labels, { team: 'shop' });
  });

  it('PUT answers with the workflow that carries the change out, once it is planned', async () => {
    await put('orders', { spec });
    const { metadata } = await get('orders');
    const uid = metadata.uid ?? '';
    await cluster().writeStatus(namespace, 'orders', {
      ...converged(1),
      operation: operationOf('orders', uid, 2, 'reconfigure', 2),
    });
    const { operation } = await put('orders', { spec: { ...spec, buffer: { maxBytes: '2Gi' } } });
    assert.equal(operation?.id, `pipeline/${namespace}/orders/${uid}/op/2-reconfigure-g2`);
    assert.deepEqual([operation.kind, operation.state, operation.step], ['reconfigure', 'Running', 'create namespace']);
  });

  it('a PUT that changes nothing is 200 without an operation once the pipeline is ready', async () => {
    await put('orders', { spec });
    await cluster().writeStatus(namespace, 'orders', converged(1));
    const { operation, generation } = await put('orders', { spec }, 200);
    assert.deepEqual([operation, generation], [null, 1]);
  });

  it('pause and resume change one field, and what was applied before stays', async () => {
    await put('orders', { spec });
    await change({ method: 'POST', url: url('orders', '/pause') }, 202);
    const paused = await get('orders');
    assert.equal(paused.spec.desiredState, 'Paused');
    assert.deepEqual(paused.spec.sinks[0]?.clickhouse?.table, 'orders');
    await change({ method: 'POST', url: url('orders', '/resume') }, 202);
    assert.equal((await get('orders')).spec.desiredState, 'Running');
  });

  it('a pause by a spec that is refused has succeeded when the pipeline is paused, and a PUT of that spec has failed', async () => {
    await put('orders', { spec });
    const { operation } = await change({ method: 'POST', url: url('orders', '/pause') }, 202);
    const conditions = [
      condition('Accepted', 'False', 'SpecInvalid', 2),
      condition('Stalled', 'True', 'SpecInvalid', 2),
    ];
    const say = (status: PipelineStatus) =>
      cluster().writeStatus(namespace, 'orders', { observedGeneration: 2, conditions, ...status });
    const stateOf = async (href = '') => operationSchema.parse((await api.inject(href)).json()).state;

    await say({ phase: 'NotReady' });
    assert.equal(await stateOf(operation?.href), 'Accepted', 'it was read, and does not stand still yet');
    await say({ phase: 'Failed', conditions: [...conditions, condition('Provisioned', 'False', 'PodsNotGone', 2)] });
    assert.equal(await stateOf(operation?.href), 'Failed');
    await say({ phase: 'Paused' });
    assert.equal(await stateOf(operation?.href), 'Succeeded');

    assert.equal((await change({ method: 'POST', url: url('orders', '/pause') }, 200)).operation, null);
    assert.equal(await stateOf(operation?.href.replace('%2Fstill', '')), 'Failed');
  });

  it('a paused pipeline stays paused when it is applied again without desiredState, and resumes when the spec says so', async () => {
    await put('orders', { spec });
    await change({ method: 'POST', url: url('orders', '/pause') }, 202);
    await put('orders', { spec: { ...spec, buffer: { maxBytes: '2Gi' } } });
    assert.equal((await get('orders')).spec.desiredState, 'Paused');
    await put('orders', { spec: { ...spec, desiredState: 'Running' } });
    assert.equal((await get('orders')).spec.desiredState, 'Running');
  });

  it('D2: a field that another tool owns is not taken; the problem names the tool', async () => {
    await cluster().kube.apply(
      { apiVersion, kind, metadata: { name: 'orders', namespace }, spec: { ...spec, buffer: { maxBytes: '3Gi' } } },
      { fieldManager: 'argocd-controller' },
    );
    const response = await api.inject({
      method: 'PUT',
      url: url('orders'),
      payload: JSON.stringify({ spec: { ...spec, buffer: { maxBytes: '1Gi' } } }),
      headers: json,
    });
    assert.equal(response.statusCode, 409);
    assert.match(response.body, /MR_PIPELINE_CONFLICT/);
    assert.match(response.body, /argocd-controller/);
    assert.equal((await get('orders')).spec.buffer.maxBytes, '3Gi');
  });

  it('D2: with force=true it is taken', async () => {
    await cluster().kube.apply(
      { apiVersion, kind, metadata: { name: 'orders', namespace }, spec: { ...spec, buffer: { maxBytes: '3Gi' } } },
      { fieldManager: 'kubectl-patch' },
    );
    const payload = JSON.stringify({ spec: { ...spec, buffer: { maxBytes: '1Gi' } } });
    const response = await api.inject({ method: 'PUT', url: url('orders', '?force=true'), payload, headers: json });
    assert.equal(response.statusCode, 202, response.body);
    assert.equal((await get('orders')).spec.buffer.maxBytes, '1Gi');
  });

  it('with dryRun=true nothing is stored, and the answer says what would change', async () => {
    await put('orders', { spec });
    const payload = JSON.stringify({ spec: { ...spec, buffer: { maxBytes: '2Gi' } } });
    const tried = await api.inject({ method: 'PUT', url: url('orders', '?dryRun=true'), payload, headers: json });
    assert.equal(tried.statusCode, 200, tried.body);
    const { effect, changes } = dryRunSchema.parse(tried.json());
    assert.equal(effect, 'configured');
    assert.ok(changes.includes('changes spec.buffer.maxBytes'), tried.body);
    const paused = await api.inject({ method: 'POST', url: url('orders', '/pause?dryRun=true') });
    assert.ok(dryRunSchema.parse(paused.json()).changes.includes('goes from Running to Paused'), paused.body);
    const stored = await get('orders');
    assert.deepEqual([stored.spec.desiredState, stored.metadata.generation], ['Running', 1]);
  });

  it('a query that Kubernetes refuses is the fault of who asks', async () => {
    for (const query of ['labelSelector=((', 'continue=%21%21', 'labelSelector=a%3Db%2C%2C%3D']) {
      const response = await api.inject(`/v1/namespaces/${namespace}/pipelines?${query}`);
      assert.equal(response.statusCode, 400, response.body);
      assert.match(response.body, /MR_REQUEST_INVALID.*list pipelines: Kubernetes refuses it/);
      assert.match(response.body, /"retryable":false/);
    }
  });

  it('what lint cannot know and Kubernetes refuses is a problem with the words of Kubernetes', async () => {
    await put('orders', { spec: { ...spec, buffer: { shards: 2 } } });
    const response = await api.inject({
      method: 'PUT',
      url: url('orders'),
      payload: JSON.stringify({ spec: { ...spec, buffer: { shards: 3 } } }),
      headers: json,
    });
    assert.equal(response.statusCode, 422, response.body);
    assert.match(response.body, /MR_KUBERNETES_REFUSED/);
    assert.match(response.body, /shards/);
  });

  it('a list is given page by page and by label', async () => {
    for (const name of ['a', 'b', 'c']) await put(name, { metadata: { labels: { team: name } }, spec });
    const collection = `/v1/namespaces/${namespace}/pipelines`;
    const first = storedPipelines.parse((await api.inject(`${collection}?limit=2`)).json());
    assert.deepEqual(
      first.items.map(({ metadata }) => metadata.name),
      ['a', 'b'],
    );
    const next = encodeURIComponent(first.continue ?? '');
    const second = storedPipelines.parse((await api.inject(`${collection}?limit=2&continue=${next}`)).json());
    assert.deepEqual([second.items.map(({ metadata }) => metadata.name), second.continue], [['c'], undefined]);
    const labelled = storedPipelines.parse((await api.inject(`/v1/pipelines?labelSelector=team%3Db`)).json());
    assert.deepEqual(
      labelled.items.map(({ metadata }) => metadata.namespace),
      [namespace],
    );
  });

  it('DELETE of a pipeline without a finalizer is over at once', async () => {
    await put('orders', { spec });
    const { operation } = await change({ method: 'DELETE', url: url('orders') }, 202);
    assert.equal(operation?.state, 'Succeeded');
    const again = await api.inject({ method: 'DELETE', url: url('orders') });
    assert.equal(again.statusCode, 404);
    const asked = operationSchema.parse((await api.inject(operation.href)).json());
    assert.deepEqual([asked.state, asked.message], ['Succeeded', 'the pipeline is gone']);
  });

  it('DELETE with force orphans first, so that teardown waits for nothing', async () => {
    const by = { fieldManager: 'person' };
    await put('orders', { metadata: {}, spec });
    await cluster().kube.patchMerge(
      kind,
      'orders',
      namespace,
      { metadata: { finalizers: ['millrace.io/cleanup'] } },
      by,
    );
    const { operation } = await change({ method: 'DELETE', url: url('orders', '?force=true') }, 202);
    const stored = await get('orders');
    assert.equal(stored.spec.deletionPolicy, 'Orphan');
    assert.ok(stored.metadata.deletionTimestamp);
    assert.equal(operation?.state, 'Accepted');
    assert.match(operation.id, /\/delete$/);
    await cluster().kube.patchMerge(kind, 'orders', namespace, { metadata: { finalizers: [] } }, by);
  });

  describe('operations', () => {
    it('C2: a change named by its generation is Accepted, Running, Succeeded as the resource says', async () => {
      const { operation } = await put('orders', { spec });
      assert.ok(operation);
      const ask = async () => operationSchema.parse((await api.inject(operation.href)).json());
      assert.equal((await ask()).state, 'Accepted');
      const { metadata } = await get('orders');
      const running = operationOf('orders', metadata.uid ?? '', 1, 'provision', 1);
      await cluster().writeStatus(namespace, 'orders', { operation: running });
      assert.deepEqual([(await ask()).state, (await ask()).id], ['Running', running.id]);
      await cluster().writeStatus(namespace, 'orders', converged(1));
      assert.equal((await ask()).state, 'Succeeded');
    });

    it('a change that was refused is Failed, with the reason', async () => {
      const { operation } = await put('orders', { spec });
      await cluster().writeStatus(namespace, 'orders', {
        observedGeneration: 1,
        conditions: [condition('Stalled', 'True', 'KubernetesRefused')],
      });
      const asked = operationSchema.parse((await api.inject(operation?.href ?? '')).json());
      assert.deepEqual([asked.state, asked.message], ['Failed', 'KubernetesRefused it is']);
    });

    it('a workflow is described as Temporal has it, with the step of the resource', async () => {
      await put('orders', { spec });
      const { metadata } = await get('orders');
      const running = operationOf('orders', metadata.uid ?? '', 1, 'provision', 1);
      await cluster().writeStatus(namespace, 'orders', { operation: running });
      const runs = runsOf({
        [running.id]: { state: 'Running', startedAt: running.startedAt, attempt: 4, message: 'no' },
      });
      const other = await apiOn(cluster().kube, runs);
      try {
        const response = await other.inject(url('orders', `/operations/${encodeURIComponent(running.id)}`));
        const { kind: verb, state, step, attempt, message } = operationSchema.parse(response.json());
        assert.deepEqual([verb, state, step, attempt, message], ['provision', 'Running', 'create namespace', 4, 'no']);
      } finally {
        await other.close();
      }
    });
  });
});
