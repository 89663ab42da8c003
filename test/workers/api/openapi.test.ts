import assert from 'node:assert/strict';
import { z } from 'zod';
import { openApiText } from '../../../workers/api/openapi-text.ts';

const operation = z.looseObject({
  operationId: z.string(),
  summary: z.string(),
  tags: z.array(z.string()).min(1),
  parameters: z.array(z.looseObject({ name: z.string(), in: z.string(), required: z.boolean().optional() })).optional(),
  requestBody: z
    .looseObject({
      content: z.record(
        z.string(),
        z.looseObject({ schema: z.looseObject({ anyOf: z.array(z.looseObject({ type: z.string() })).optional() }) }),
      ),
    })
    .optional(),
  responses: z.record(z.string(), z.looseObject({ description: z.string() })),
});
const documentSchema = z.looseObject({
  openapi: z.literal('3.1.0'),
  info: z.looseObject({ title: z.string(), version: z.string(), description: z.string() }),
  servers: z.array(z.looseObject({ url: z.string() })),
  paths: z.record(z.string(), z.partialRecord(z.enum(['get', 'put', 'post', 'delete']), operation)),
  components: z.looseObject({ schemas: z.record(z.string(), z.looseObject({})) }),
});

describe('the OpenAPI document', () => {
  let text: string;
  let document: z.output<typeof documentSchema>;

  before(async () => {
    text = await openApiText();
    document = documentSchema.parse(JSON.parse(text));
  });

  it('refers only to what it holds', () => {
    const refs = [...text.matchAll(/"\$ref": "([^"]+)"/g)].map(([, ref]) => ref ?? '');
    assert.ok(refs.length > 0);
    for (const ref of refs) {
      const name = /^#\/components\/schemas\/(.+)$/.exec(ref)?.[1];
      assert.ok(name !== undefined && name in document.components.schemas, ref);
    }
  });

  it('names every parameter of a path, and every operation once', () => {
    const ids: string[] = [];
    for (const [path, operations] of Object.entries(document.paths)) {
      const wanted = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name ?? '').sort();
      for (const [method, described] of Object.entries(operations)) {
        ids.push(described.operationId);
        const named = (described.parameters ?? []).filter((parameter) => parameter.in === 'path');
        assert.deepEqual(named.map(({ name }) => name).sort(), wanted, `${method} ${path}`);
      }
    }
    assert.equal(new Set(ids).size, ids.length);
  });

  it('describes every field of a spec', () => {
    const body = JSON.stringify(document.components.schemas['PipelineBodyInput']);
    assert.match(body, /Where records come from\. One or more\./);
  });

  it('has every route', () => {
    const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method} ${path}`),
    );
    const pipeline = '/v1/namespaces/{namespace}/pipelines/{name}';
    for (const route of [
      `get ${pipeline}`,
      `put ${pipeline}`,
      `delete ${pipeline}`,
      'get /v1/namespaces/{namespace}/pipelines',
      'get /v1/pipelines',
      `post ${pipeline}/pause`,
      `post ${pipeline}/resume`,
      `get ${pipeline}/operations/{operation}`,
      `post ${pipeline}/records`,
      `post ${pipeline}/records/{source}`,
      'post /v1/lint',
      'get /healthz',
      'get /readyz',
      'get /version',
    ]) {
      assert.ok(routes.includes(route), route);
    }
  });

  it('D10: says where it is served, and what the body of records is', () => {
    assert.deepEqual(
      document.servers.map(({ url }) => url),
      ['/', 'http://127.0.0.1:8088'],
    );
    const pipeline = '/v1/namespaces/{namespace}/pipelines/{name}';
    for (const path of [`${pipeline}/records`, `${pipeline}/records/{source}`]) {
      const body = document.paths[path]?.post?.requestBody;
      assert.deepEqual(Object.keys(body?.content ?? {}), ['application/json', 'application/x-ndjson'], path);
      for (const { schema } of Object.values(body?.content ?? {}))
        assert.deepEqual(
          schema.anyOf?.map(({ type }) => type),
          ['object', 'array', 'string'],
        );
    }
  });

  it('describes problems for every route that can have one', () => {
    const put = document.paths['/v1/namespaces/{namespace}/pipelines/{name}']?.put;
    assert.deepEqual(Object.keys(put?.responses ?? {}), ['200', '202', '4XX', '5XX']);
    assert.match(JSON.stringify(put?.responses['4XX']), /application\/problem\+json/);
  });
});
