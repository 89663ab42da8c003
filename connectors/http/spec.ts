/** The configuration of an HTTP source. Becomes a part of the CRD, of lint and of the reference. */
import { z } from 'zod';
import { milliseconds } from '../../model/quantities.ts';
import { bytesField, durationField, referenceText } from '../../schema/fields.ts';

/** A signed token may be longer than a password; no common HTTP server accepts more than 16 KiB of headers. */
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
    idempotencyWindow: durationField(
      'How long an Idempotency-Key is known after its request was answered, whatever restarts meanwhile: 1m to 24h. The buffer keeps one for each KiB of its maxBytes; a request with another one is answered with 429.',
    )
      .refine((text) => isBetween(text, '1m', '24h'), { message: 'is not between 1m and 24h' })
      .default('10m'),
    auth: z
      .strictObject({
        token: referenceText('Requests must carry it as `Authorization: Bearer <token>`.', maxTokenLength),
      })
      .optional()
      .describe('Ask for a token. Without it, whoever reaches the port may send.'),
  })
  .describe('Takes records by HTTP POST and answers 202 once they are stored.');

function isBetween(duration: string, least: string, most: string): boolean {
  const ms = milliseconds(duration);
  return ms >= milliseconds(least) && ms <= milliseconds(most);
}

export type HttpSourceConfig = z.output<typeof httpSourceSpec>;

/** Takes a stored configuration: its schema may be newer than this program, so only the path is read. */
export const httpRecordsPath = (config: unknown): string => z.looseObject({ path: z.string() }).parse(config).path;
