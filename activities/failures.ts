/**
 * How a failed activity is reported to Temporal: one mapping for all.
 *
 * T1  The failure's type is the code of the error table; its message is the sentence with what to do.
 * T2  `refuse` and `fence` are not retried; everything else is, after the server's Retry-After if there is one. In a
 *     teardown only a fence ends the retries.
 * T3  Cancellation stays cancellation.
 * T4  Waiting is not a failure: it counts in no metric and fills no log.
 */
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure, TemporalFailure } from '@temporalio/common';
import { KubeError, toMillraceError } from '../kubernetes/kube-error.ts';
import { MillraceError, mr, problemOf } from '../model/errors.ts';
import type { OperationKind, RefusedSpec } from '../model/lifecycle.ts';
import { isNatsError } from '../stream/jetstream-errors.ts';

/** What the activity waits for has not happened yet: it frees its worker slot, and checks again later. */
export class StillWaiting extends Error {
  override readonly name = 'StillWaiting';
  readonly problem: MillraceError;

  constructor(problem: MillraceError) {
    super(problem.message, { cause: problem });
    this.problem = problem;
  }
}

/** A spec that is refused, with what could still be read from it. */
export class SpecRefused extends Error {
  override readonly name = 'SpecRefused';
  readonly problem: MillraceError;
  readonly read: RefusedSpec;

  constructor(problem: MillraceError, read: RefusedSpec) {
    super(problem.message, { cause: problem });
    this.problem = problem;
    this.read = read;
  }
}

/** `during`: the kind of the operation that the activity is a step of. */
export function toFailure(error: unknown, during?: OperationKind): TemporalFailure {
  if (error instanceof TemporalFailure) return error;
  const known = classify(error);
  const nextRetryDelay = error instanceof KubeError ? error.failure.retryAfterMs : undefined;
  return ApplicationFailure.create({
    type: known.code,
    message: known.sentence,
    nonRetryable: !isRetried(known, during),
    details: [
      { code: known.code, params: known.params, ...(error instanceof SpecRefused ? { read: error.read } : {}) },
    ],
    ...(nextRetryDelay === undefined ? {} : { nextRetryDelay }),
    ...(error instanceof StillWaiting ? { category: ApplicationFailureCategory.BENIGN } : {}),
    cause: error instanceof Error ? error : new Error(String(error)),
  });
}

/** Any thrown value as an error of the table. An unknown one is a defect of Millrace, and may pass. */
export function classify(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  if (error instanceof StillWaiting || error instanceof SpecRefused) return error.problem;
  if (error instanceof KubeError) return toMillraceError(error);
  if (isNatsError(error))
    return mr('MR_STREAM_UNAVAILABLE', { server: 'NATS', problem: problemOf(error) }, { cause: error });
  return mr('MR_INTERNAL', { problem: problemOf(error) }, { cause: error });
}

/** Not of the table, and of no system outside. */
export function isDefect(error: unknown): boolean {
  return classify(error).code === 'MR_INTERNAL';
}

/** MR_INTERNAL is retried: it may be a temporary state that nobody thought of, and the status shows it meanwhile. */
export function isRetried({ handling, code }: MillraceError, during?: OperationKind): boolean {
  return handling === 'retry' || code === 'MR_INTERNAL' || (during === 'teardown' && handling === 'refuse');
}

export function isCancellation(error: unknown): boolean {
  return error instanceof CancelledFailure || (error instanceof Error && error.name === 'AbortError');
}
