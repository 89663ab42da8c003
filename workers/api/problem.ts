/**
 * Problems of the API: RFC 9457, made from the error table.
 *
 * Every error of a handler becomes one here. Errors that are not from the table become MR_INTERNAL, with their text
 * only in the log: it may contain what a caller must not read.
 */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Issue, Problem } from '../../client/wire.ts';
import { KubeError } from '../../kubernetes/kube-error.ts';
import { inWords } from '../../kubernetes/pipelines.ts';
import { MillraceError, mr } from '../../model/errors.ts';
import { problemAnswer } from '../../model/problem.ts';
import { cut } from '../../model/text.ts';

/** A refusal that names several places, or has a status of its own. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly error: MillraceError;
  readonly issues: readonly Issue[];

  readonly status: number;

  constructor(error: MillraceError, issues: readonly Issue[], status = error.http) {
    super(error.message, { cause: error });
    this.error = error;
    this.issues = issues;
    this.status = status;
  }
}

export function problemOfError(thrown: unknown, requestId: string): Problem {
  if (thrown instanceof MillraceError) return problemAnswer(thrown, requestId);
  if (thrown instanceof KubeError) return problemAnswer(inWords(thrown), requestId);
  if (!(thrown instanceof Refused)) {
    return problemAnswer(mr('MR_INTERNAL', { problem: 'an error that it does not know' }), requestId);
  }
  const { error, issues, status } = thrown;
  return { ...problemAnswer(error, requestId, status), ...(issues.length === 0 ? {} : { errors: [...issues] }) };
}

/** Fastify refuses some requests itself; `statusCode` and `code` are its own. */
const clientError = z.object({ statusCode: z.int().min(400).max(499), code: z.string(), message: z.string() });

/** Undefined: the error is not Fastify's, or not the fault of the request. */
export function refusedByFastify(thrown: unknown, { headers, routeOptions }: FastifyRequest): Refused | undefined {
  const known = clientError.safeParse(thrown);
  if (!known.success || thrown instanceof MillraceError) return undefined;
  const { code, message, statusCode } = known.data;
  const type = headers['content-type'];
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE': {
      const actual = type === undefined ? 'of no type' : JSON.stringify(cut(type, 100));
      const types = routeOptions.schema?.consumes?.join(', ') ?? 'none';
      return new Refused(mr('MR_MEDIA_TYPE', { actual, types }), []);
    }
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Refused(mr('MR_BODY_TOO_LARGE', { limit: routeOptions.bodyLimit }), []);
    default:
      return new Refused(mr('MR_REQUEST_INVALID', { where: 'request', problem: message }), [], statusCode);
  }
}
