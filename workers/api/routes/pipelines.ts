/** `/v1/namespaces/{namespace}/pipelines`: apply, read, pause, stop, resume, retry, decide, delete. */
import { createHash } from 'node:crypto';
import type { FastifyContextConfig, FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { changeSchema, decidedSchema, decisionSchema, dryRunSchema, type Change } from '../../../client/wire.ts';
import { dryRunOf } from '../../../crds/dry-run.ts';
import { stillOf } from '../../../client/settled.ts';
import type { DesiredState } from '../../../model/plan.ts';
import { bodyText, parseText, readDecisionBody, readPipelineBody, textTypes } from '../body.ts';
import type { Change as AuditedChange } from '../audit.ts';
import { ownKey } from '../idempotency-key.ts';
import type { OperationRuns } from '../operation-runs.ts';
import { decideOn } from '../../../kubernetes/decisions.ts';
import { exceptBody } from '../validation.ts';
import {
  applyQuery,
  deleteQuery,
  listQuery,
  namespaceParams,
  pipelineBody,
  pipelineList,
  pipelineParams,
  pipelineResource,
  problems,
  retryHeaders,
  stateQuery,
} from '../schemas.ts';
import type { SessionOf } from '../session.ts';

interface Options {
  readonly sessionOf: SessionOf;
  readonly runs: OperationRuns;
}

const base = '/v1/namespaces/:namespace/pipelines';
const tags = ['pipelines'];
const changed = {
  200: { description: 'Nothing had to be changed.', content: { 'application/json': { schema: changeSchema } } },
  202: {
    description: 'Stored; `Location` says where to follow it.',
    content: { 'application/json': { schema: changeSchema } },
  },
  ...problems,
};

const changedOrTold = {
  ...changed,
  200: {
    description: 'Nothing had to be changed; or, with `dryRun=true`, what would change.',
    content: { 'application/json': { schema: z.union([changeSchema, dryRunSchema]) } },
  },
};

const decided = {
  200: { description: 'It is carried out.', content: { 'application/json': { schema: decidedSchema } } },
  202: {
    description: 'Stored; `status.decision` of the pipeline says what becomes of it.',
    content: { 'application/json': { schema: decidedSchema } },
  },
  ...problems,
};

export const pipelineRoutes: FastifyPluginCallbackZod<Options> = (server, { sessionOf, runs }, done) => {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser<Buffer>(
    textTypes,
    { parseAs: 'buffer' },
    async ({ headers }: FastifyRequest, bytes: Buffer) => {
      const text = await bodyText(bytes, headers);
      if (text === '') return null;
      const [mediaType = ''] = (headers['content-type'] ?? '').split(';');
      return parseText(text, mediaType.trim().toLowerCase());
    },
  );

  // The body is left to lint, which reports all errors at once and with suggestions.
  server.setValidatorCompiler(exceptBody);

  const listSchema = { tags, querystring: listQuery, response: { 200: pipelineList, ...problems } };
  server.get(
    '/v1/pipelines',
    {
      config: { needs: ['list'] },
      schema: { ...listSchema, operationId: 'listAllPipelines', summary: 'List the pipelines of all namespaces' },
    },
    (request) => list(null, request),
  );
  server.get(
    base,
    {
      config: { needs: ['list'] },
      schema: {
        ...listSchema,
        params: namespaceParams,
        operationId: 'listPipelines',
        summary: 'List the pipelines of a namespace',
      },
    },
    (request) => list(request.params.namespace, request),
  );

  server.get(
    `${base}/:name`,
    {
      config: { needs: ['get'] },
      schema: {
        tags,
        operationId: 'getPipeline',
        summary: 'Read a pipeline with its status',
        params: pipelineParams,
        response: { 200: pipelineResource, ...problems },
      },
    },
    (request) => sessionOf(request).pipelines.get(request.params.namespace, request.params.name),
  );

  server.put(
    `${base}/:name`,
    {
      config: { needs: ['get', 'patch'], changes: 'apply' },
      schema: {
        tags,
        operationId: 'applyPipeline',
        summary: 'Create or change a pipeline',
        description:
          'The body is the resource, or only its `spec`, as JSON or YAML. Fields that are left out are given up by this API and fall back to their defaults.',
        params: pipelineParams,
        querystring: applyQuery,
        body: pipelineBody,
        consumes: textTypes,
        response: changedOrTold,
      },
    },
    async (request, reply) => {
      const { params, query, body } = request;
      const { pipelines, changes, must } = sessionOf(request);
      const wanted = readPipelineBody(body, params);
      const before = await pipelines.find(params.namespace, params.name);
      if (before === null) await must('create');
      const dryRun = query.dryRun === 'true';
      const stored = await pipelines.apply(wanted, { dryRun, force: query.force === 'true' });
      return dryRun ? dryRunOf(before, stored) : answer(reply, await changes.announce(before, stored));
    },
  );

  server.delete(
    `${base}/:name`,
    {
      config: { needs: ['get', 'delete'], changes: 'delete' },
      schema: {
        tags,
        operationId: 'deletePipeline',
        summary: 'Delete a pipeline',
        params: pipelineParams,
        querystring: deleteQuery,
        response: changed,
      },
    },
    async (request, reply) => {
      const { params, query } = request;
      const { pipelines, changes, must } = sessionOf(request);
      if (query.force === 'true') await must('patch');
      const found = await pipelines.get(params.namespace, params.name);
      const freed = query.force === 'true' ? await pipelines.orphan(found) : found;
      const left = await pipelines.remove(freed);
      return answer(reply, await changes.announceDeletion(left ?? found));
    },
  );

  server.post(
    `${base}/:name/pause`,
    {
      config: changing('pause'),
      schema: desiredStateSchema('pausePipeline', 'Stop moving records at once and keep everything'),
    },
    setState('Paused'),
  );
  server.post(
    `${base}/:name/resume`,
    { config: changing('resume'), schema: desiredStateSchema('resumePipeline', 'Go on from where it was paused') },
    setState('Running'),
  );

  server.post(
    `${base}/:name/stop`,
    {
      config: changing('stop'),
      schema: desiredStateSchema('stopPipeline', 'Stop the sources, drain what was taken in, then stop the sinks'),
    },
    setState('Stopped'),
  );

  server.post(
    `${base}/:name/retry`,
    {
      config: changing('retry'),
      schema: {
        ...stateSchema('retryPipeline', 'Try again what failed, without a change'),
        description:
          'For an operation that gave up (`Stalled`), once its cause is mended. Refused with 409 while an operation runs, which retries by itself, and when nothing failed. With an Idempotency-Key a repeated request is one.',
        headers: retryHeaders,
      },
    },
    async (request, reply) => {
      const { params, caller, headers, id } = request;
      const { pipelines, changes } = sessionOf(request);
      const found = await pipelines.get(params.namespace, params.name);
      const key = headers['idempotency-key'];
      const requestId = key === undefined ? id : ownKey(caller, key);
      await runs.retry({ ...params, uid: found.metadata.uid ?? '' }, requestId);
      request.hasStored = true;
      return answer(reply, await changes.announceRetry(found));
    },
  );

  server.post(
    `${base}/:name/decide`,
    {
      config: changing('decide'),
      schema: {
        tags,
        operationId: 'decidePipeline',
        summary: 'Say how to go on after a loss',
        description:
          'Where the status asks for it: the message has the token. Refused with 409 (`MR_DECISION_REFUSED`) where nothing asks for it, while an earlier decision was not looked at, and when it cannot be carried out. With an Idempotency-Key a repeated request is one.',
        params: pipelineParams,
        headers: retryHeaders,
        body: decisionSchema,
        consumes: textTypes,
        response: decided,
      },
    },
    async (request, reply) => {
      const { params, body, caller, headers, id } = request;
      const { pipelines, changes } = sessionOf(request);
      const { token, choice } = readDecisionBody(body);
      const found = await pipelines.get(params.namespace, params.name);
      const note = noteOf(ownKey(caller, headers['idempotency-key'] ?? id));
      const text = await decideOn(pipelines, found, { token, choice, note });
      const answered = await changes.announceDecision(found, text);
      reply.code(answered.state === 'CarriedOut' ? 200 : 202);
      return answered;
    },
  );

  async function list(
    namespace: string | null,
    request: FastifyRequest & { readonly query: z.output<typeof listQuery> },
  ): Promise<z.output<typeof pipelineList>> {
    const page = await sessionOf(request).pipelines.list({ namespace, ...request.query });
    return { items: [...page.items], ...(page.continue === undefined ? {} : { continue: page.continue }) };
  }

  function setState(state: DesiredState) {
    return async (request: StateRequest, reply: Reply) => {
      const { params, query } = request;
      const { pipelines, changes } = sessionOf(request);
      const before = await pipelines.get(params.namespace, params.name);
      const dryRun = query.dryRun === 'true';
      const stored = await pipelines.setDesiredState(before, state, { dryRun });
      if (dryRun) return dryRunOf(before, stored);
      return answer(reply, await changes.announce(before, stored, stillOf(state)));
    };
  }

  done();
};

/** By kubectl it is a patch of the resource; by REST it needs the same right. */
function changing(changes: AuditedChange): FastifyContextConfig {
  return { needs: ['get', 'patch'], changes };
}

interface StateRequest extends FastifyRequest {
  readonly params: z.output<typeof pipelineParams>;
  readonly query: z.output<typeof stateQuery>;
}

interface Reply {
  code(status: 200 | 202): Reply;
  header(name: string, value: string): Reply;
}

/** 202 with the place where to follow the change; 200 when there is nothing to follow. */
function answer(reply: Reply, change: Change): Change {
  if (change.operation === null) {
    reply.code(200);
  } else {
    reply.code(202).header('location', change.operation.href);
  }
  return change;
}

/** A key may be any text, but the id of a request must be one word. */
function noteOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}

function stateSchema(operationId: string, summary: string) {
  return { tags, operationId, summary, params: pipelineParams, response: changed };
}

function desiredStateSchema(operationId: string, summary: string) {
  return { ...stateSchema(operationId, summary), querystring: stateQuery, response: changedOrTold };
}
