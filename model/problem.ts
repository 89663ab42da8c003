/**
 * An error of the table as an HTTP answer (RFC 9457). The API and the sources that receive records answer in the same
 * form.
 */
import type { ErrorCode, MillraceError } from './errors.ts';

export const problemMediaType = 'application/problem+json';

export interface ProblemAnswer {
  /** Where the error is documented, relative to the API. */
  readonly type: string;
  /** What kind of error it is; the same for every occurrence. */
  readonly title: string;
  readonly status: number;
  /** What happened and what to do. */
  readonly detail: string;
  /** Id of the request. */
  readonly instance: string;
  readonly code: ErrorCode;
  /** The same request may succeed later. */
  readonly retryable: boolean;
}

export function problemAnswer(error: MillraceError, requestId: string, status: number = error.http): ProblemAnswer {
  return {
    type: `/errors/${error.code}`,
    title: titleOf(error.code),
    status,
    detail: error.sentence,
    instance: `urn:millrace:request:${requestId}`,
    code: error.code,
    retryable: error.handling === 'retry',
  };
}

/** `MR_PIPELINE_NOT_FOUND` → `Pipeline not found`. */
function titleOf(code: ErrorCode): string {
  const words = code.slice(3).replaceAll('_', ' ').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
