/**
 * Problems of the API: RFC 9457, made from the error table.
 *
 * Whatever goes wrong in a handler becomes one here; what is not from the table is MR_INTERNAL with its text in the log
 * only, because the text of a foreign error may hold what a caller must not read.
 */
import { z } from 'zod';
import type { Issue, Problem } from '../../client/wire.ts';
import { MillraceError, mr } from '../../model/errors.ts';
import { problemAnswer } from '../../model/problem.ts';

/** A refusal that names several places. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly error: MillraceError;
  readonly issues: readonly Issue[];

  constructor(error: MillraceError, issues: readonly Issue[]) {
    super(error.message, { cause: error });
    this.error = error;
    this.issues = issues;
  }
}

export function problemOfError(thrown: unknown, requestId: string): Problem {
  if (thrown instanceof Refused) return { ...problemAnswer(thrown.error, requestId), errors: [...thrown.issues] };
  if (thrown instanceof MillraceError) return problemAnswer(thrown, requestId);
  return problemAnswer(
    fromFastify(thrown) ?? mr('MR_INTERNAL', { problem: 'an error that it does not know' }),
    requestId,
    statusOf(thrown),
  );
}

/** Fastify refuses some requests itself: a body too large, a media type that no parser takes, a bad parameter. */
const clientError = z.object({ statusCode: z.int().min(400).max(499), message: z.string() });

function fromFastify(thrown: unknown): MillraceError | null {
  const known = clientError.safeParse(thrown);
  return known.success ? mr('MR_REQUEST_INVALID', { where: 'request', problem: known.data.message }) : null;
}

function statusOf(thrown: unknown): number {
  const known = clientError.safeParse(thrown);
  return known.success ? known.data.statusCode : 500;
}
