/** `POST /v1/lint`: the lint of the command line, for editors and CI. */
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { lintReportSchema } from '../../../client/wire.ts';
import { lintText } from '../../../crds/lint.ts';
import { bodyText, issueOf, textTypes } from '../body.ts';
import { problems } from '../schemas.ts';

const text = z
  .string()
  .max(1024 * 1024)
  .describe('A Pipeline resource as YAML or JSON.');

export const lintRoutes: FastifyPluginCallbackZod = (server, _options, done) => {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser<Buffer>(textTypes, { parseAs: 'buffer' }, ({ headers }: FastifyRequest, bytes: Buffer) =>
    bodyText(bytes, headers),
  );
  server.post(
    '/v1/lint',
    {
      config: { needs: [] },
      schema: {
        tags: ['lint'],
        operationId: 'lint',
        summary: 'Check a pipeline without applying it',
        description: 'Needs no cluster. Positions are those of the text.',
        consumes: textTypes,
        body: text,
        response: { 200: lintReportSchema, ...problems },
      },
    },
    ({ body }) => {
      const issues = lintText(body, 'body').map(issueOf);
      return { valid: !issues.some((issue) => issue.severity === 'error'), issues };
    },
  );
  done();
};
