/** What a person may say about an HTTP source. Becomes a part of the CRD, of lint and of the reference. */
import { z } from 'zod';
import { bytesField, referenceText } from '../../schema/fields.ts';

/** A signed token may be longer than a password; more than 16 KiB of headers no server of HTTP takes. */
const maxTokenLength = 12_288;

export const httpSourceSpec = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .max(256)
      .regex(/^\/[A-Za-z0-9._~/-]*$/)
      .default('/records')
      .describe(
        'Path that takes records by POST: one JSON object, a JSON array of them, or one on each line (NDJSON).',
      ),
    maxBodyBytes: bytesField('Largest body of one request; a larger one is answered with 413.').default('4Mi'),
    auth: z
      .strictObject({
        token: referenceText('Requests must carry it as `Authorization: Bearer <token>`.', maxTokenLength),
      })
      .optional()
      .describe('Ask for a token. Without it, whoever reaches the port may send.'),
  })
  .describe('Takes records by HTTP POST and answers 202 once they are stored.');

export type HttpSourceConfig = z.output<typeof httpSourceSpec>;
