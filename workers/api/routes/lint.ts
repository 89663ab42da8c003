/** `POST /v1/lint`: the lint of the command line, for editors and CI. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { lintReportSchema } from '../../../client/wire.ts';
import { lintText } from '../../../crds/lint.ts';
import { issueOf, textTypes } from '../body.ts';
import { problems } from '../schemas.ts';

const text = z
  .string()
  .max(1024 * 1024)
  .describe('A Pipeline resource as YAML or JSON.');

export const lintRoutes: FastifyPluginCallbackZod = (server, _options, done) => {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(textTypes, { parseAs: 'string' }, (_request, body, parsed) => parsed(null, body));
  server.post(
    '/v1/lint',
    {
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
