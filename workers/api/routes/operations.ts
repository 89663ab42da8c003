/** `…/{name}/operations/{id}`: the present state of a change. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { operationSchema } from '../../../client/wire.ts';
import type { Changes } from '../changes.ts';
import { operationParams, problems } from '../schemas.ts';

interface Options {
  readonly changes: Changes;
}

export const operationRoutes: FastifyPluginCallbackZod<Options> = (server, { changes }, done) => {
  server.get(
    '/v1/namespaces/:namespace/pipelines/:name/operations/:operation',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getOperation',
        summary: 'Say what a change does now',
        description: 'Takes every id that an answer has announced, also of a pipeline that is gone.',
        params: operationParams,
        response: { 200: operationSchema, ...problems },
      },
    },
    ({ params }) => changes.describe(params.namespace, params.name, params.operation),
  );
  done();
};
