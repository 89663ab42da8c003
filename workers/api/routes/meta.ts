/** About the API itself: health, version, metrics, OpenAPI, the error table. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { authSchema, type AuthInfo } from '../../../client/wire.ts';
import { closest } from '../../../model/closest.ts';
import { errorTable, mr, problemOf, type ErrorCode } from '../../../model/errors.ts';
import { apiVersion } from '../../../model/names.ts';
import { ask } from '../../../kubernetes/ask.ts';
import type { Kube } from '../../../kubernetes/kube.ts';
import { Remembered, type Now } from '../identity/remembered.ts';
import type { OperationRuns } from '../operation-runs.ts';
import { errorEntry, health, problems, versionInfo } from '../schemas.ts';

interface Options {
  readonly kube: Kube;
  readonly runs: OperationRuns;
  readonly version: string;
  readonly metrics: Registry;
  readonly now: Now;
  readonly auth: AuthInfo;
}

/** Everybody may ask whether it is ready, and Kubernetes and Temporal are asked then. */
const readyForMs = 1_000;

/** Any server under the address answers 200; only one of Kubernetes says this of itself. */
const kubernetesVersion = z.object({
  kind: z.undefined().optional(),
  major: z.string(),
  minor: z.string(),
  gitVersion: z.string().min(1),
});

const tags = ['meta'];
/** Nothing of this is a secret, see `../guard.ts`. */
const config = { isOpen: true };
const security: [] = [];

export const metaRoutes: FastifyPluginCallbackZod<Options> = (
  server,
  { kube, runs, version, metrics, now, auth },
  done,
) => {
  const readiness = new Remembered<Readiness>({ ttlOf: () => readyForMs, now });
  server.get('/openapi.json', { config, schema: { hide: true } }, () => server.swagger());

  server.get(
    '/healthz',
    {
      config,
      schema: { security, tags, operationId: 'isAlive', summary: 'The process works', response: { 200: health } },
    },
    () => ({ status: 'ok' }),
  );

  server.get(
    '/readyz',
    {
      config,
      schema: {
        security,
        tags,
        operationId: 'isReady',
        summary: 'Kubernetes answers',
        description: 'Temporal is not asked for: pipelines can be applied and read without it.',
        response: { 200: health, 503: health },
      },
    },
    async (_request, reply) => {
      const { status, isReady } = await readiness.get('', lookWhetherReady);
      if (!isReady) reply.code(503);
      return { status };
    },
  );

  server.get(
    '/version',
    {
      config,
      schema: { security, tags, operationId: 'getVersion', summary: 'What runs here', response: { 200: versionInfo } },
    },
    () => ({
      version,
      apiVersion,
    }),
  );

  server.get(
    '/v1/auth',
    {
      config,
      schema: {
        ...{ security, tags, operationId: 'getAuth', summary: 'How callers show who they are' },
        response: { 200: authSchema },
      },
    },
    () => auth,
  );

  server.get('/metrics', { config: { needs: ['get metrics'] }, schema: { hide: true } }, async (_request, reply) => {
    reply.type(metrics.contentType).serializer((text: string) => text);
    return metrics.metrics();
  });

  server.get(
    '/errors/:code',
    {
      config,
      schema: {
        security,
        tags,
        operationId: 'explainError',
        summary: 'Explain an error code',
        params: z.object({ code: z.string().max(64).describe('Such as MR_SINK_AUTH_REJECTED.') }),
        response: { 200: errorEntry, ...problems },
      },
    },
    ({ params }) => {
      const code = params.code;
      if (!isCode(code)) throw mr('MR_ERROR_CODE_UNKNOWN', { code, hint: hintFor(code) });
      const { message, fix, http, handling } = errorTable[code];
      return { code, message, fix, status: http, handling };
    },
  );
  done();

  async function lookWhetherReady(): Promise<Readiness> {
    try {
      const signal = AbortSignal.timeout(2_000);
      const request = { method: 'GET', path: '/version', what: 'version', signal } as const;
      await ask(kube.transport, request, kubernetesVersion, () => true);
    } catch (error) {
      return { isReady: false, status: `Kubernetes at ${kube.server} does not answer: ${problemOf(error)}` };
    }
    const status = (await runs.isReachable()) ? 'ok' : 'ok, but Temporal does not answer: changes wait';
    return { isReady: true, status };
  }
};

interface Readiness {
  readonly isReady: boolean;
  readonly status: string;
}

function hintFor(code: string): string {
  const known = closest(code, Object.keys(errorTable));
  return known === undefined ? 'docs/reference/errors.md lists them all.' : `Did you mean ${known}?`;
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}
