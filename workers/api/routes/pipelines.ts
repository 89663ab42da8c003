/** `/v1/namespaces/{namespace}/pipelines`: apply, read, pause, stop, resume, retry, decide, delete. */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { changeSchema, decidedSchema, decisionSchema, dryRunSchema, type Change } from '../../../client/wire.ts';
import { dryRunOf } from '../../../crds/dry-run.ts';
import { stillOf } from '../../../client/settled.ts';
import type { DesiredState } from '../../../model/plan.ts';
import { bodyText, parseText, readDecisionBody, readPipelineBody, textTypes } from '../body.ts';
import type { Changes } from '../changes.ts';
import type { OperationRuns } from '../operation-runs.ts';
import { decideOn } from '../../../kubernetes/decisions.ts';
import type { PipelineDoor } from '../../../kubernetes/pipelines.ts';
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

interface Options {
  readonly pipelines: PipelineDoor;
  readonly changes: Changes;
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

export const pipelineRoutes: FastifyPluginCallbackZod<Options> = (server, { pipelines, changes, runs }, done) => {
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
    { schema: { ...listSchema, operationId: 'listAllPipelines', summary: 'List the pipelines of all namespaces' } },
    ({ query }) => list(null, query),
  );
  server.get(
    base,
    {
      schema: {
        ...listSchema,
        params: namespaceParams,
        operationId: 'listPipelines',
        summary: 'List the pipelines of a namespace',
      },
    },
    ({ params, query }) => list(params.namespace, query),
  );

  server.get(
    `${base}/:name`,
    {
      schema: {
        tags,
        operationId: 'getPipeline',
        summary: 'Read a pipeline with its status',
        params: pipelineParams,
        response: { 200: pipelineResource, ...problems },
      },
    },
    ({ params }) => pipelines.get(params.namespace, params.name),
  );

  server.put(
    `${base}/:name`,
    {
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
    async ({ params, query, body }, reply) => {
      const wanted = readPipelineBody(body, params);
      const before = await pipelines.find(params.namespace, params.name);
      const dryRun = query.dryRun === 'true';
      const stored = await pipelines.apply(wanted, { dryRun, force: query.force === 'true' });
      return dryRun ? dryRunOf(before, stored) : answer(reply, await changes.announce(before, stored));
    },
  );

  server.delete(
    `${base}/:name`,
    {
      schema: {
        tags,
        operationId: 'deletePipeline',
        summary: 'Delete a pipeline',
        params: pipelineParams,
        querystring: deleteQuery,
        response: changed,
      },
    },
    async ({ params, query }, reply) => {
      const found = await pipelines.get(params.namespace, params.name);
      const freed = query.force === 'true' ? await pipelines.orphan(found) : found;
      const left = await pipelines.remove(freed);
      return answer(reply, await changes.announceDeletion(left ?? found));
    },
  );

  server.post(
    `${base}/:name/pause`,
    { schema: desiredStateSchema('pausePipeline', 'Stop moving records at once and keep everything') },
    setState('Paused'),
  );
  server.post(
    `${base}/:name/resume`,
    { schema: desiredStateSchema('resumePipeline', 'Go on from where it was paused') },
    setState('Running'),
  );

  server.post(
    `${base}/:name/stop`,
    { schema: desiredStateSchema('stopPipeline', 'Stop the sources, drain what was taken in, then stop the sinks') },
    setState('Stopped'),
  );

  server.post(
    `${base}/:name/retry`,
    {
      schema: {
        ...stateSchema('retryPipeline', 'Try again what failed, without a change'),
        description:
          'For an operation that gave up (`Stalled`), once its cause is mended. Refused with 409 while an operation runs, which retries by itself, and when nothing failed. With an Idempotency-Key a repeated request is one.',
        headers: retryHeaders,
      },
    },
    async ({ params, headers, id }, reply) => {
      const found = await pipelines.get(params.namespace, params.name);
      await runs.retry({ ...params, uid: found.metadata.uid ?? '' }, headers['idempotency-key'] ?? id);
      return answer(reply, await changes.announceRetry(found));
    },
  );

  server.post(
    `${base}/:name/decide`,
    {
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
    async ({ params, body, headers, id }, reply) => {
      const { token, choice } = readDecisionBody(body);
      const found = await pipelines.get(params.namespace, params.name);
      const text = await decideOn(pipelines, found, { token, choice, note: noteOf(headers['idempotency-key'] ?? id) });
      const answered = await changes.announceDecision(found, text);
      reply.code(answered.state === 'CarriedOut' ? 200 : 202);
      return answered;
    },
  );

  async function list(
    namespace: string | null,
    query: z.output<typeof listQuery>,
  ): Promise<z.output<typeof pipelineList>> {
    const page = await pipelines.list({ namespace, ...query });
    return { items: [...page.items], ...(page.continue === undefined ? {} : { continue: page.continue }) };
  }

  function setState(state: DesiredState) {
    return async ({ params, query }: StateRequest, reply: Reply) => {
      const before = await pipelines.get(params.namespace, params.name);
      const dryRun = query.dryRun === 'true';
      const stored = await pipelines.setDesiredState(before, state, { dryRun });
      if (dryRun) return dryRunOf(before, stored);
      return answer(reply, await changes.announce(before, stored, stillOf(state)));
    };
  }

  done();
};

interface StateRequest {
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
