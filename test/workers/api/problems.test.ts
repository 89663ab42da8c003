import assert from 'node:assert/strict';
import type { InjectOptions } from 'fastify';
import { z } from 'zod';
import { problemSchema, type Problem } from '../../../client/wire.ts';
import { spec } from './cluster.ts';
import { withUnreachableCluster } from './unreachable.ts';
import type { Api } from '../../../workers/api/api.ts';

const url = '/v1/namespaces/shop/pipelines/orders';

describe('problems of the API', () => {
  let api: Api;

  withUnreachableCluster((made) => void (api = made));

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

  it('A5: a parameter that a route does not know is refused on every route, and the near one named', async () => {
    for (const [path, methods] of taken) {
      // Of a lint the body, which is missing here, is looked at first.
      for (const method of path === '/v1/lint' ? [] : methods) {
        if (method === 'HEAD') continue;
        const { code, status, detail } = await problem({ method, url: `${path}?dryrun=yes` });
        assert.deepEqual([code, status], ['MR_REQUEST_INVALID', 400], `${method} ${path}`);
        assert.match(detail, /^query: "dryrun" is not known/);
        if (method === 'PUT') assert.match(detail, /did you mean "dryRun"\?/);
      }
    }
  });

  const inOrder = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
  const taken: readonly (readonly [path: string, methods: readonly (typeof inOrder)[number][]])[] = [
    ['/v1/pipelines', ['GET', 'HEAD']],
    ['/v1/namespaces/shop/pipelines', ['GET', 'HEAD']],
    [url, ['GET', 'HEAD', 'PUT', 'DELETE']],
    [`${url}/pause`, ['POST']],
    [`${url}/resume`, ['POST']],
    [`${url}/stop`, ['POST']],
    [`${url}/retry`, ['POST']],
    [`${url}/records`, ['POST']],
    [`${url}/records/orders`, ['POST']],
    [`${url}/operations/x`, ['GET', 'HEAD']],
    ['/v1/lint', ['POST']],
    ['/openapi.json', ['GET', 'HEAD']],
    ['/metrics', ['GET', 'HEAD']],
    ['/healthz', ['GET', 'HEAD']],
    ['/errors/MR_INTERNAL', ['GET', 'HEAD']],
  ];
  for (const [path, methods] of taken) {
    it(`${path} takes ${methods.join(', ')}, and answers every other method with 405 and Allow`, async () => {
      for (const method of inOrder) {
        // A body of a type that nobody takes: what is wrong is the method.
        const request = { method, url: path, payload: 'x', headers: { 'content-type': 'image/png' } };
        const {
          statusCode,
          headers,
          json: read,
        } = await api.inject(method === 'HEAD' ? { method, url: path } : request);
        if (methods.includes(method)) {
          assert.notEqual(statusCode, 405, method);
          continue;
        }
        assert.deepEqual([statusCode, headers['allow']], [405, methods.join(', ')], method);
        if (method !== 'HEAD') assert.equal(problemSchema.parse(read()).code, 'MR_METHOD_NOT_ALLOWED');
      }
    });
  }

  for (const path of ['/v1/%zz', `/v1/namespaces/${'a'.repeat(1_300)}/pipelines`]) {
    it(`A1: an address that cannot be one is a problem: ${path.slice(0, 20)}`, async () => {
      const { code, status } = await problem({ method: 'GET', url: path });
      assert.equal(code, 'MR_REQUEST_INVALID');
      assert.ok(status === 400 || status === 414);
    });
  }

  it('an error code that is not in the table is said to be that, with what was probably meant', async () => {
    const { code, status, detail } = await problem({ method: 'GET', url: '/errors/MR_SPEC_INVALIDE' });
    assert.deepEqual([code, status], ['MR_ERROR_CODE_UNKNOWN', 404]);
    assert.match(detail, /Did you mean MR_SPEC_INVALID\?/);
  });

  it('what may be sent again says when', async () => {
    const answer = await api.inject({ method: 'GET', url });
    assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [503, '1']);
  });

  it('a name that cannot be one is refused with its place', async () => {
    const { code, status, errors } = await problem({ method: 'GET', url: '/v1/namespaces/Shop/pipelines/orders' });
    assert.deepEqual([code, status], ['MR_REQUEST_INVALID', 400]);
    assert.equal(errors?.[0]?.pointer, '/namespace');
    assert.match(errors[0].message, /^must match .*, but is "Shop"$/);
  });

  it('a query parameter that is not known is refused', async () => {
    const { code, detail } = await problem({ method: 'GET', url: '/v1/pipelines?limt=3' });
    assert.equal(code, 'MR_REQUEST_INVALID');
    assert.match(detail, /"limt" is not known/);
  });

  it('a limit out of bounds is refused', async () => {
    const { errors } = await problem({ method: 'GET', url: '/v1/pipelines?limit=100000' });
    assert.equal(errors?.[0]?.pointer, '/limit');
    assert.match(errors[0].message, /^must be at most \d+, but is 100000$/);
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

  const broken: readonly (readonly [text: string, where: string, problem: RegExp])[] = [
    ['{"spec": {"sources": [}', 'body:1:23', /is not JSON: must be a value, but is "}"/],
    ['{\n  "spec": nothing\n}', 'body:2:12', /is not JSON: must be part of "null", but is "o"/],
    ["{'spec': {}}", 'body:1:2', /is not JSON: must be a field name in quotes/],
    ['{"a": 1,}', 'body:1:9', /is not JSON: must be a field name in quotes, but is "}"/],
    ['{"a": "ä", b', 'body:1:12', /is not JSON/],
    ['{"spec": {}} x', 'body:1:14', /is not JSON: must be the end/],
    ['{"spec": {"a": 1', 'body:1:17', /but is the end/],
    ['spec: {}', 'body:1:1', /is not JSON: must be a value/],
  ];
  for (const [payload, where, words] of broken) {
    it(`a body that is not the JSON it says it is is refused as JSON, with its place: ${payload}`, async () => {
      const { code, status, detail } = await problem({ method: 'PUT', url, payload, headers: json });
      assert.deepEqual([code, status], ['MR_REQUEST_INVALID', 400]);
      assert.ok(detail.startsWith(`${where}: `), detail);
      assert.match(detail, words);
    });
  }

  for (const [type, payload] of [
    ['application/json', '{"spec": {"password": hunter2}}'],
    ['application/json', '{"spec": {"password": "hunter2\n"}}'],
    ['application/yaml', 'spec: {password: *hunter2}'],
    ['application/yaml', 'password: |hunter2\n'],
    ['application/yaml', 'password: "a" hunter2'],
    ['application/yaml', 'password: "\\hunter2"'],
    ['application/yaml', 'spec: {sources: [{name: a, kafka: {sasl: hunter2}}]}'],
    ['application/yaml', 'spec: {sources: [{name: a, kafka: {sasl: {password: [hunter2]}}}]}'],
    ['application/yaml', 'spec: {sources: [{name: a, kafka: {sasl: {pasword: hunter2}}}]}'],
    ['application/yaml', 'spec: {sinks: [{name: a, clickhouse: {password: {value: hunter2}}}]}'],
  ] as const) {
    it(`no answer repeats a secret: ${payload.replace('hunter2', '…')}`, async () => {
      const headers = { 'content-type': type };
      for (const request of [
        { method: 'PUT', url },
        { method: 'POST', url: '/v1/lint' },
      ] as const) {
        const { body } = await api.inject({ ...request, payload, headers });
        assert.doesNotMatch(body, /hunter2/, request.url);
      }
    });
  }

  it('a body that is not an object is refused', async () => {
    assert.equal((await put([1, 2])).code, 'MR_REQUEST_INVALID');
  });

  it('a media type that is not text is refused with 415, which names those that are taken', async () => {
    for (const request of [
      { method: 'PUT', url },
      { method: 'POST', url: '/v1/lint' },
    ] as const) {
      const headers = { 'content-type': 'image/png' };
      const { code, status, detail } = await problem({ ...request, payload: 'x', headers });
      assert.deepEqual([code, status], ['MR_MEDIA_TYPE', 415]);
      assert.match(detail, /The body is "image\/png", but must be one of application\/json, application\/yaml, /);
      const answer = await api.inject({ ...request, payload: 'x', headers });
      assert.match(String(answer.headers['accept']), /^application\/json, application\/yaml/);
    }
  });

  it('a body above the limit is refused with 413', async () => {
    const payload = JSON.stringify({ spec: 'x'.repeat(2 * 1024 * 1024) });
    const { code, status, detail } = await problem({ method: 'PUT', url, payload, headers: json });
    assert.deepEqual([code, status], ['MR_BODY_TOO_LARGE', 413]);
    assert.match(detail, /more than 1048576 bytes/);
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
    assert.match(detail, /refused because of \d+ errors, the first of which is: /);
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
