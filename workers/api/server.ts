/**
 * The REST API: routes, problems, OpenAPI. It keeps no state: any number of copies may run.
 *
 * A1  Every answer that is not a success is a problem (`./problem.ts`), also for routes that do not exist.
 * A2  OpenAPI is made from the schemas that check the requests.
 * A3  Access is checked before anything else (`./guard.ts`).
 * A4  The log has the request's id, never a body and never a header that may hold a secret.
 *     Each change has a line that says who made it (`./audit.ts`).
 * A5  A parameter that a route does not know is refused, never ignored.
 */
import swagger from '@fastify/swagger';
import Fastify, { type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { issueProblem } from '../../crds/schema-issues.ts';
import { mr } from '../../model/errors.ts';
import { problemMediaType } from '../../model/problem.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { AuthInfo } from '../../client/wire.ts';
import type { Api } from './api.ts';
import { maxBodyBytes } from './body.ts';
import { auditChanges } from './audit.ts';
import { guard, takesRecords, type Access } from './guard.ts';
import type { Now } from './identity/remembered.ts';
import { apiMetrics } from './metrics.ts';
import { openApiOptions } from './openapi.ts';
import type { OperationRuns } from './operation-runs.ts';
import type { PipelineDoor } from '../../kubernetes/pipelines.ts';
import { otherMethods } from './other-methods.ts';
import { problemOfError, refusedByFastify, Refused } from './problem.ts';
import { lintRoutes } from './routes/lint.ts';
import { metaRoutes } from './routes/meta.ts';
import { operationRoutes } from './routes/operations.ts';
import { pipelineRoutes } from './routes/pipelines.ts';
import { recordRoutes } from './routes/records.ts';
import { noQuery } from './schemas.ts';
import { sessionsOf } from './session.ts';

export interface ApiParts {
  readonly kube: Kube;
  readonly pipelines: PipelineDoor;
  readonly runs: OperationRuns;
  readonly version: string;
  readonly logLevel: string;
  /** Default: stdout. */
  readonly logTo?: { write(line: string): void };
  readonly access?: Access;
  /** What it says of that. Default: that it asks nobody. */
  readonly auth?: AuthInfo;
  /** Where its metrics are counted, for whoever serves them elsewhere, too. */
  readonly metrics?: Registry;
  /** How long the answer to a change waits for its operation to be planned. Default 2,000 ms. */
  readonly planWaitMs?: number;
  /** Default: that of the process. */
  readonly now?: Now;
  /** Within which a request must have said what it wants. Default 15,000 ms. */
  readonly headersTimeoutMs?: number;
  /** Within which a body must have arrived, but for records. Default 15,000 ms. */
  readonly bodyTimeoutMs?: number;
}

const retryAfterSeconds = 1;
/** Within which a request must have arrived: 256 MiB of records by a slow line. */
const requestTimeoutMs = 300_000;

export async function buildServer(parts: ApiParts): Promise<Api> {
  const headersTimeout = parts.headersTimeoutMs ?? 15_000;
  const server: Api = Fastify({
    logger: loggerOf(parts),
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    http: { headersTimeout, connectionsCheckingInterval: Math.min(headersTimeout, 5_000) },
    genReqId: () => crypto.randomUUID(),
    routerOptions: { maxParamLength: 1200 },
    // A1, for malformed URLs.
    frameworkErrors: (error, request, reply) => void answerProblem(error, request, reply),
  }).withTypeProvider<ZodTypeProvider>();
  server.setValidatorCompiler(validatorCompiler);
  // Answers are typed by their schemas and not validated: what an older version stored must stay readable.
  server.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  answerProblems(server);
  refuseUnknownQueries(server);
  const { access = {}, auth = { mode: 'none' }, now = () => performance.now() } = parts;
  guard(server, access, now);
  endSlowBodies(server, parts.bodyTimeoutMs ?? 15_000);
  auditChanges(server, access.identity ? undefined : access.token === undefined ? 'anybody' : 'the token');
  await server.register(swagger, openApiOptions(parts.version));

  const sessionOf = sessionsOf(parts, access.identity);
  const metrics = apiMetrics(server, parts.metrics);
  const refuseOtherMethods = otherMethods(server);
  const { kube, runs, version } = parts;
  await server.register(pipelineRoutes, { sessionOf, runs });
  await server.register(operationRoutes, { sessionOf });
  await server.register(recordRoutes, { kube: parts.kube, pipelines: parts.pipelines });
  await server.register(lintRoutes);
  await server.register(metaRoutes, { kube, runs, version, metrics, now, auth });
  refuseOtherMethods();
  return server;
}

/** Answered without the rest of the body, and so the last of its connection. */
function endSlowBodies(server: Api, withinMs: number): void {
  server.addHook('preParsing', (request, reply, payload, next) => {
    if (!takesRecords(request)) {
      const timer = setTimeout(() => {
        if (request.raw.complete) return;
        const problem = `its body has not arrived within ${withinMs} ms`;
        const refusal = new Refused(mr('MR_REQUEST_INVALID', { where: 'request', problem }), [], 408);
        reply.header('connection', 'close').send(refusal);
      }, withinMs);
      reply.raw.once('close', () => clearTimeout(timer));
    }
    next(null, payload);
  });
}

function loggerOf({ logLevel, logTo }: ApiParts): NonNullable<FastifyServerOptions['logger']> {
  if (logLevel === 'silent') return false;
  return { level: logLevel, serializers: { req: loggedRequest }, ...(logTo === undefined ? {} : { stream: logTo }) };
}

/** A4: a query may hold what somebody took for the place of a secret. */
function loggedRequest({ method, url, ip }: FastifyRequest) {
  return { method, path: url.split('?')[0], from: ip };
}

/** A5: `?dryrun=yes` must not be ignored. Fastify accepts any query where a route declares none. */
function refuseUnknownQueries(server: Api): void {
  server.addHook('onRoute', (route) => {
    route.schema = { querystring: noQuery, ...route.schema };
  });
}

function answerProblems(server: Api): void {
  server.setErrorHandler(answerProblem);
  server.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?');
    return answerProblem(mr('MR_ROUTE_NOT_FOUND', { method: request.method, path }), request, reply);
  });
}

function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = asRefusal(error, request);
  const problem = problemOfError(refusedByFastify(refusal, request) ?? refusal, request.id);
  request.problem = problem.code;
  if (problem.status >= 500) request.log.error({ err: error, code: problem.code }, problem.title);
  if (problem.retryable) reply.header('retry-after', retryAfterSeconds);
  const { consumes } = request.routeOptions.schema ?? {};
  if (problem.status === 415 && consumes) reply.header('accept', consumes.join(', '));
  return reply.code(problem.status).type(problemMediaType).send(JSON.stringify(problem));
}

/** An issue of zod inside Fastify's validation error. */
const zodIssue = z.custom<z.core.$ZodIssue>((value) => typeof value === 'object' && value !== null && 'code' in value);

/** A parameter or query that does not fit its schema, in our words; any other error as it is. */
function asRefusal(error: unknown, request: FastifyRequest): unknown {
  if (!hasZodFastifySchemaValidationErrors(error)) return error;
  const context = error.validationContext ?? 'request';
  const values = z.record(z.string(), z.unknown()).catch({}).parse(valuesOf(context, request));
  const known = context === 'querystring' ? queriesOf(request) : [];
  const issues = error.validation.map(({ instancePath, keyword, params, message }) => {
    const issue = zodIssue.parse({ ...params, code: keyword, message, path: [] });
    const [, name = ''] = instancePath.split('/');
    return {
      pointer: instancePath,
      message: issueProblem(issue, values[name], known),
      severity: 'error' as const,
      code: 'MR_REQUEST_INVALID',
    };
  });
  const [first] = issues;
  const part = context === 'querystring' ? 'query' : context;
  const where = `${part}${first?.pointer.replace(/\/$/, '') ?? ''}`;
  return new Refused(mr('MR_REQUEST_INVALID', { where, problem: first?.message ?? 'it does not fit' }), issues);
}

function valuesOf(context: string, { params, query, headers }: FastifyRequest): unknown {
  return context === 'params' ? params : context === 'headers' ? headers : query;
}

/** The parameters that the route takes. */
function queriesOf({ routeOptions }: FastifyRequest): readonly string[] {
  const schema = routeOptions.schema?.querystring;
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
