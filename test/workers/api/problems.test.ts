import assert from 'node:assert/strict';
import type { InjectOptions } from 'fastify';
import { z } from 'zod';
import { problemSchema, type Problem } from '../../../client/wire.ts';
import { spec } from './cluster.ts';
import { apiOn } from './api.ts';
import { unreachableKube } from './unreachable.ts';
import type { Api } from '../../../workers/api/api.ts';
import type { Kube } from '../../../kubernetes/kube.ts';

const url = '/v1/namespaces/shop/pipelines/orders';

describe('problems of the API', () => {
  let kube: Kube;
  let api: Api;

  before(async () => {
    kube = await unreachableKube();
    api = await apiOn(kube);
  });
  after(async () => {
    await api.close();
    kube.close();
  });

  async function problem(request: InjectOptions): Promise<Problem> {
    const response = await api.inject(request);
    assert.match(String(response.headers['content-type']), /^application\/problem\+json/, response.body);
    const parsed = problemSchema.parse(response.json());
    assert.equal(parsed.status, response.statusCode);
    assert.equal(parsed.type, `/errors/${parsed.code}`);
    assert.match(parsed.instance, /^urn:millrace:request:[0-9a-f-]{36}$/);
    return parsed;
  }

  const put = (body: unknown) => problem({ method: 'PUT', url, payload: JSON.stringify(body), headers: json });
  const json = { 'content-type': 'application/json' };

  it('A1: a route that does not exist is a problem', async () => {
    const { code, status, detail } = await problem({ method: 'GET', url: '/v2/nothing?x=1' });
    assert.deepEqual([code, status], ['MR_ROUTE_NOT_FOUND', 404]);
    assert.match(detail, /There is no GET \/v2\/nothing\./);
  });

  it('a name that cannot be one is refused with its place', async () => {
    const { code, status, errors } = await problem({ method: 'GET', url: '/v1/namespaces/Shop/pipelines/orders' });
    assert.deepEqual([code, status], ['MR_REQUEST_INVALID', 400]);
    assert.equal(errors?.[0]?.pointer, '/namespace');
  });

  it('a query parameter that is not known is refused', async () => {
    const { code, detail } = await problem({ method: 'GET', url: '/v1/pipelines?limt=3' });
    assert.equal(code, 'MR_REQUEST_INVALID');
    assert.match(detail, /limt/);
  });

  it('a limit out of bounds is refused', async () => {
    const { errors } = await problem({ method: 'GET', url: '/v1/pipelines?limit=100000' });
    assert.equal(errors?.[0]?.pointer, '/limit');
  });

  it('a body that is not YAML is refused with line and column', async () => {
    const { code, status, detail } = await problem({
      method: 'PUT',
      url,
      payload: 'spec:\n  sources: [',
      headers: { 'content-type': 'application/yaml' },
    });
    assert.deepEqual([code, status], ['MR_REQUEST_INVALID', 400]);
    assert.match(detail, /^body:2:/);
  });

  it('a body that is not an object is refused', async () => {
    assert.equal((await put([1, 2])).code, 'MR_REQUEST_INVALID');
  });

  it('a media type that is not text is refused with 415', async () => {
    const headers = { 'content-type': 'image/png' };
    assert.equal((await problem({ method: 'PUT', url, payload: 'x', headers })).status, 415);
  });

  it('a body above the limit is refused with 413', async () => {
    const payload = JSON.stringify({ spec: 'x'.repeat(2 * 1024 * 1024) });
    assert.equal((await problem({ method: 'PUT', url, payload, headers: json })).status, 413);
  });

  it('a name in the body that is not that of the path is refused', async () => {
    const { code, detail } = await put({ metadata: { name: 'other' }, spec });
    assert.equal(code, 'MR_REQUEST_INVALID');
    assert.match(detail, /\/metadata\/name: must be "orders" as in the path, but is "other"/);
  });

  it('an unknown field is refused with its pointer and what was probably meant', async () => {
    const { status, errors } = await put({ spec: { ...spec, sinkz: [], sinks: spec.sinks } });
    assert.equal(status, 422);
    const [issue] = errors ?? [];
    assert.equal(issue?.pointer, '/spec/sinkz');
    assert.equal(issue.code, 'MR_SPEC_UNKNOWN_FIELD');
    assert.match(`${issue.message} ${issue.suggestion ?? ''}`, /sinks/);
  });

  it('two connectors in one source are refused', async () => {
    const sources = [{ name: 'orders', generator: {}, http: {} }];
    const { status, errors } = await put({ spec: { ...spec, sources } });
    assert.equal(status, 422);
    assert.ok(errors?.some((issue) => issue.code === 'MR_SPEC_ONE_CONNECTOR'));
  });

  it('an expression with a typo is refused with its pointer', async () => {
    const steps = [{ name: 'paid', filter: { where: 'record.status ==' } }];
    const { status, errors } = await put({ spec: { ...spec, steps } });
    assert.equal(status, 422);
    assert.ok(
      errors?.some((issue) => issue.code === 'MR_SPEC_EXPRESSION' && issue.pointer === '/spec/steps/0/filter/where'),
    );
  });

  it('every error of a spec is named at once', async () => {
    const { errors, detail } = await put({ spec: { ...spec, colour: 1, sources: [{ name: 'Orders' }] } });
    assert.ok((errors?.length ?? 0) >= 2, JSON.stringify(errors));
    assert.match(detail, /refused for \d+ errors, the first of which is: /);
  });

  it('a Kubernetes API that does not answer is 503 and retryable', async () => {
    const { code, status, retryable } = await problem({ method: 'GET', url });
    assert.deepEqual([code, status, retryable], ['MR_KUBERNETES_UNAVAILABLE', 503, true]);
  });

  it('an operation of another pipeline is not found', async () => {
    const id = encodeURIComponent('pipeline/shop/other/6f1c/g1');
    assert.equal((await problem({ method: 'GET', url: `${url}/operations/${id}` })).code, 'MR_OPERATION_NOT_FOUND');
  });

  it('the type of a problem says where its error is explained', async () => {
    const { type } = await problem({ method: 'GET', url });
    const response = await api.inject({ method: 'GET', url: type });
    const row = z.object({ code: z.string(), fix: z.string() }).parse(response.json());
    assert.equal(row.code, 'MR_KUBERNETES_UNAVAILABLE');
  });

  it('readyz says which part does not answer', async () => {
    const response = await api.inject('/readyz');
    assert.equal(response.statusCode, 503);
    assert.match(response.body, /Kubernetes at 127\.0\.0\.1:\d+ does not answer/);
    assert.equal((await api.inject('/healthz')).statusCode, 200);
  });
});
