/**
 * What Temporal is told when an activity fails: one map for all.
 *
 * T1  The failure's type is the code of the error table; its message is the sentence with what to do.
 * T2  `refuse` and `fence` are not retried; everything else is, after the server's Retry-After where there is one.
 * T3  Cancellation stays cancellation.
 */
import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import { MillraceError, mr, problemOf } from '../model/errors.ts';
import { KubeError, toMillraceError } from '../kubernetes/kube-error.ts';

export function toFailure(error: unknown): TemporalFailure {
  if (error instanceof TemporalFailure) return error;
  const known = classify(error);
  const nextRetryDelay = error instanceof KubeError ? error.failure.retryAfterMs : undefined;
  return ApplicationFailure.create({
    type: known.code,
    message: known.sentence,
    nonRetryable: !isRetried(known),
    details: [{ code: known.code, params: known.params }],
    ...(nextRetryDelay === undefined ? {} : { nextRetryDelay }),
    cause: error instanceof Error ? error : new Error(String(error)),
  });
}

/** Any thrown thing as an error of the table. What is not known is a fault of ours, and may pass. */
export function classify(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  if (error instanceof KubeError) return toMillraceError(error);
  if (isNatsError(error))
    return mr('MR_STREAM_UNAVAILABLE', { server: 'NATS', problem: problemOf(error) }, { cause: error });
  return mr('MR_INTERNAL', { problem: problemOf(error) }, { cause: error });
}

/** MR_INTERNAL is retried: it may be a passing state that nobody thought of, and the status says it meanwhile. */
export function isRetried(error: MillraceError): boolean {
  return error.handling === 'retry' || error.code === 'MR_INTERNAL';
}

export function isCancellation(error: unknown): boolean {
  return error instanceof CancelledFailure || (error instanceof Error && error.name === 'AbortError');
}

/** Errors of the NATS client carry their class as name; they have no common base that is exported. */
function isNatsError(error: unknown): boolean {
  return error instanceof Error && natsErrors.has(error.name);
}

const natsErrors = new Set([
  'TimeoutError',
  'RequestError',
  'NoRespondersError',
  'ConnectionError',
  'ClosedConnectionError',
  'JetStreamError',
  'JetStreamApiError',
  'JetStreamStatusError',
]);
