/** `…/{name}/operations/{id}`: the present state of a change. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { operationSchema } from '../../../client/wire.ts';
import { operationParams, problems } from '../schemas.ts';
import type { SessionOf } from '../session.ts';

interface Options {
  readonly sessionOf: SessionOf;
}

export const operationRoutes: FastifyPluginCallbackZod<Options> = (server, { sessionOf }, done) => {
  server.get(
    '/v1/namespaces/:namespace/pipelines/:name/operations/:operation',
    {
      config: { needs: ['get'] },
      schema: {
        tags: ['operations'],
        operationId: 'getOperation',
        summary: 'Say what a change does now',
        description: 'Takes every id that an answer has announced, also of a pipeline that is gone.',
        params: operationParams,
        response: { 200: operationSchema, ...problems },
      },
    },
    (request) => {
      const { namespace, name, operation } = request.params;
      return sessionOf(request).changes.describe(namespace, name, operation);
    },
  );
  done();
};
