/** About the API itself: health, version, metrics, OpenAPI, the error table. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { errorTable, mr, type ErrorCode } from '../../../crds/errors.ts';
import { apiVersion } from '../../../crds/names.ts';
import type { Kube } from '../../../activities/kubernetes/kube.ts';
import type { OperationRuns } from '../operation-runs.ts';
import { errorEntry, health, problems, versionInfo } from '../schemas.ts';

interface Options {
  readonly kube: Kube;
  readonly runs: OperationRuns;
  readonly version: string;
  readonly metrics: Registry;
}

const tags = ['meta'];

export const metaRoutes: FastifyPluginAsyncZod<Options> = async (server, { kube, runs, version, metrics }) => {
  server.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger());

  server.get('/healthz', { schema: { tags, summary: 'The process works', response: { 200: health } } }, async () => ({
    status: 'ok',
  }));

  server.get(
    '/readyz',
    {
      schema: {
        tags,
        summary: 'Kubernetes answers',
        description: 'Temporal is not asked for: pipelines can be applied and read without it.',
        response: { 200: health, 503: health },
      },
    },
    async (_request, reply) => {
      try {
        await kube.transport.send({
          method: 'GET',
          path: '/readyz',
          what: 'readyz',
          signal: AbortSignal.timeout(2_000),
        });
      } catch {
        reply.code(503);
        return { status: `Kubernetes at ${kube.server} does not answer` };
      }
      return { status: (await runs.isReachable()) ? 'ok' : 'ok, but Temporal does not answer: changes wait' };
    },
  );

  server.get('/version', { schema: { tags, summary: 'What runs here', response: { 200: versionInfo } } }, async () => ({
    version,
    apiVersion,
  }));

  server.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    reply.type(metrics.contentType).serializer((text: string) => text);
    return metrics.metrics();
  });

  server.get(
    '/errors/:code',
    {
      schema: {
        tags,
        summary: 'Explain an error code',
        params: z.object({ code: z.string().max(64).describe('Such as MR_SINK_AUTH_REJECTED.') }),
        response: { 200: errorEntry, ...problems },
      },
    },
    async ({ params }) => {
      const code = params.code;
      if (!isCode(code)) throw mr('MR_ROUTE_NOT_FOUND', { method: 'GET', path: `/errors/${code}` });
      const { message, fix, http, handling } = errorTable[code];
      return { code, message, fix, status: http, handling };
    },
  );
};

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}
