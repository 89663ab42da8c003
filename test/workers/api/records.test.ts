import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { randomInt } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { withDefaults } from '../../../crds/defaults.ts';
import { problemSchema } from '../../../client/wire.ts';
import { Door } from '../../../connectors/http/door.ts';
import { HttpReader } from '../../../connectors/http/reader.ts';
import { fieldManagers, labels } from '../../../model/names.ts';
import { recordsPort } from '../../../model/ports.ts';
import { pipelineDoor, readPipeline, workloadNamespaceOf } from '../../../kubernetes/pipelines.ts';
import type { Api } from '../../../workers/api/api.ts';
import { buildServer } from '../../../workers/api/server.ts';
import { apiOn, runsOf } from './api.ts';
import { spec, useCluster } from './cluster.ts';

describe('records by REST', () => {
  const cluster = useCluster();
  let api: Api;
  let base: string;
  let namespace: string;
  let pods: Server[] = [];

  before(async () => {
    api = await apiOn(cluster().kube);
    base = await api.listen({ host: '127.0.0.1', port: 0 });
  });
  beforeEach(async () => {
    namespace = await cluster().namespace();
  });
  afterEach(async () => {
    for (const pod of pods) {
      pod.closeAllConnections();
      await new Promise((resolve) => pod.close(resolve));
    }
    pods = [];
  });
  after(() => api.close());

  async function createPipeline(sources: object[]): Promise<void> {
    const response = await api.inject({
      method: 'PUT',
      url: `/v1/namespaces/${namespace}/pipelines/events`,
      payload: JSON.stringify({ spec: { ...spec, isolation: 'Shared', sources } }),
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(response.statusCode, 202, response.body);
  }

  /** A pod of the source: an object in Kubernetes, and a server where it says that it listens. */
  async function startPod(
    source: string,
    answer: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<void> {
    const { kube } = cluster();
    const stored = await kube.get('Pipeline', 'events', namespace);
    assert.ok(stored);
    const host = `127.${randomInt(100, 250)}.${randomInt(1, 250)}.${randomInt(2, 250)}`;
    const name = `events-${source}-${pods.length}`;
    await kube.create(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name,
          namespace: workloadNamespaceOf(readPipeline(stored)),
          labels: { [labels.pipelineUid]: stored.metadata.uid ?? '', [labels.stage]: `ingestor-${source}` },
        },
        spec: { automountServiceAccountToken: false, containers: [{ name: 'worker', image: 'millrace/millrace:dev' }] },
      },
      { fieldManager: 'person' },
    );
    await kube.transport.send({
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}/pods/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { podIP: host, podIPs: [{ ip: host }], conditions: [{ type: 'Ready', status: 'True' }] } },
      what: 'make the pod ready',
    });
    const server = createServer(answer);
    pods.push(server);
    await new Promise<void>((resolve) => server.listen(recordsPort, host, resolve));
  }

  const send = (body: string, headers: Record<string, string> = {}, path = '') =>
    fetch(`${base}/v1/namespaces/${namespace}/pipelines/events/records${path}`, { method: 'POST', body, headers });

  const http = (name: string, more: object = {}) => ({ name, http: { path: '/in', ...more } });

  it('go to a ready pod as they are, and its answer comes back', async () => {
    await createPipeline([http('web')]);
    let seen: { path: string | undefined; headers: IncomingMessage['headers']; body: string } | undefined;
    await startPod('web', (request, response) => {
      void text(request).then((body) => {
        seen = { path: request.url, headers: request.headers, body };
        response.writeHead(202, { 'content-type': 'application/json' }).end('{"accepted":2}');
      });
    });
    const body = '{"id":1}\n{"id":12345678901234567890}\n';
    const response = await send(body, {
      'content-type': 'application/x-ndjson',
      'idempotency-key': 'k-1',
      authorization: 'Bearer t',
      cookie: 'not=yours',
    });
    assert.equal(response.status, 202);
    assert.deepEqual(await response.json(), { accepted: 2 });
    assert.equal(seen?.path, '/in');
    assert.equal(seen.body, body);
    assert.equal(seen.headers['idempotency-key'], 'k-1');
    assert.equal(seen.headers.authorization, 'Bearer t');
    assert.equal(seen.headers['content-type'], 'application/x-ndjson');
    assert.equal(seen.headers.cookie, undefined);
  });

  it('have a key of their own for each caller that is known', async () => {
    await createPipeline([http('web')]);
    const keys: unknown[] = [];
    await startPod('web', (request, response) => {
      keys.push(request.headers['idempotency-key']);
      response.writeHead(202).end();
    });
    const { kube } = cluster();
    const knowing = await buildServer({
      ...{ kube, pipelines: pipelineDoor(kube, fieldManagers.api, withDefaults), runs: runsOf() },
      ...{ version: '0', logLevel: 'silent' },
      access: {
        identity: {
          authenticate: async (name) => ({ name, groups: [], extra: {} }),
          authorise: () => Promise.resolve(),
          kubeOf: () => kube,
        },
      },
    });
    for (const name of ['mallory', 'jane', 'jane']) {
      const url = `/v1/namespaces/${namespace}/pipelines/events/records`;
      const headers = { authorization: `Bearer ${name}`, 'idempotency-key': 'k-1', 'content-type': 'application/json' };
      assert.equal((await knowing.inject({ method: 'POST', url, headers, payload: '{}' })).statusCode, 202);
    }
    await knowing.close();
    assert.deepEqual([new Set(keys).size, keys[2], keys.includes('k-1')], [2, keys[1], false]);
  });

  it('429 and Retry-After of the source come back', async () => {
    await createPipeline([http('web')]);
    await startPod('web', (_request, response) => {
      response
        .writeHead(429, { 'retry-after': '7', 'content-type': 'application/problem+json' })
        .end('{"code":"MR_EDGE_FULL"}');
    });
    const response = await send('{}', { 'content-type': 'application/json' });
    assert.equal(response.status, 429);
    assert.equal(response.headers.get('retry-after'), '7');
    assert.match(await response.text(), /MR_EDGE_FULL/);
  });

  it('an answer that comes before the body was read comes back', async () => {
    await createPipeline([http('web')]);
    await startPod('web', (_request, response) => response.writeHead(413).end());
    assert.equal((await send('x'.repeat(3_000_000), { 'content-type': 'application/json' })).status, 413);
  });

  it('a body above the limit of a real source is 413 each time, never a 503 that asks to send it again', async () => {
    await createPipeline([{ name: 'events', http: {} }]);
    const door = new Door({
      source: 'events',
      pid: 'events-abc123',
      path: '/records',
      maxBodyBytes: 4 * 2 ** 20,
      maxRecordBytes: () => 2 ** 20,
      maxTogetherBytes: () => 2 ** 20,
      waitsFor: () => undefined,
      keyWindowSeconds: 60,
      isCrowded: () => false,
      token: undefined,
      clock: { now: () => 0, sleep: () => Promise.resolve() },
      newRequestId: () => 'request',
    });
    door.addSlot(new HttpReader('events-abc123/events/0', undefined, () => undefined));
    await startPod('events', (request, response) => void door.handle(request, response));
    for (let times = 0; times < 10; times++) {
      const response = await fetch(`${base}/v1/namespaces/${namespace}/pipelines/events/records`, {
        method: 'POST',
        body: Buffer.alloc(12 * 2 ** 20, ' '),
        headers: { 'content-type': 'application/json' },
      });
      assert.equal(response.status, 413, await response.text());
    }
  });

  it('with several http sources the path names one', async () => {
    await createPipeline([http('one'), http('two')]);
    await startPod('two', (_request, response) => response.writeHead(202).end('{}'));
    assert.equal((await send('{}', {}, '/two')).status, 202);
    const unnamed = await send('{}');
    assert.equal(unnamed.status, 409);
    assert.match(await unnamed.text(), /several http sources \(one, two\): name one in the path/);
  });

  it('a pipeline without an http source is 409', async () => {
    await createPipeline([{ name: 'orders', generator: {} }]);
    const response = await send('{}');
    assert.equal(response.status, 409);
    assert.equal(problemSchema.parse(await response.json()).code, 'MR_SOURCE_TAKES_NO_RECORDS');
  });

  it('without a ready pod it is 503, and found as soon as one is ready', async () => {
    await createPipeline([http('web')]);
    const before = await send('{}');
    assert.equal(before.status, 503);
    assert.deepEqual((({ code, retryable }) => [code, retryable])(problemSchema.parse(await before.json())), [
      'MR_SOURCE_NOT_READY',
      true,
    ]);
    await startPod('web', (_request, response) => response.writeHead(202).end('{}'));
    assert.equal((await send('{}')).status, 202);
  });

  it('F2: a pod that is gone is 503, and another pod takes the repetition', async () => {
    await createPipeline([http('web')]);
    await startPod('web', (_request, response) => response.socket?.destroy());
    const response = await send('{}', { 'content-type': 'application/json' });
    assert.equal(response.status, 503);
    assert.match(await response.text(), /Send the request again with the same Idempotency-Key/);
  });

  it('a pipeline that does not exist is 404', async () => {
    assert.equal((await send('{}')).status, 404);
  });
});
