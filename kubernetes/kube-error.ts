/**
 * Failures of the Kubernetes API: parsed here and nowhere else.
 *
 * K1  Every failed request becomes a {@link KubeError}: an answer with a status, or `network` when there was none.
 * K2  `Retry-After` of the server is kept, so that whoever retries can honour it.
 */
import { z } from 'zod';
import { mr, type MillraceError } from '../model/errors.ts';

const statusSchema = z.looseObject({
  reason: z.string().optional(),
  message: z.string().optional(),
  details: z
    .looseObject({
      retryAfterSeconds: z.number().optional(),
      causes: z.array(z.looseObject({ reason: z.string().optional(), message: z.string().optional() })).nullish(),
    })
    .nullish(),
});

export interface KubeFailure {
  /** HTTP status, or `network`. */
  readonly status: number | 'network';
  /** Reason of the server's Status object: `NotFound`, `Conflict`, … */
  readonly reason: string;
  readonly causes: readonly string[];
  readonly retryAfterMs?: number;
  /** What was asked: `apply Deployment shop/orders`. */
  readonly request: string;
  readonly server: string;
}

export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly failure: KubeFailure;

  constructor(message: string, failure: KubeFailure, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }

  get isNotFound(): boolean {
    return this.failure.status === 404;
  }

  get isConflict(): boolean {
    return this.failure.status === 409;
  }

  /** A watch's resourceVersion is too old: list again. */
  get isGone(): boolean {
    return this.failure.status === 410 || this.failure.reason === 'Expired';
  }
}

/** The error of an answer with a status of 400 or more. */
export function parseAnswer(
  answer: { status: number; body: string; retryAfter?: string | undefined },
  request: string,
  server: string,
): KubeError {
  const parsed = statusSchema.safeParse(jsonOrNothing(answer.body));
  const status = parsed.success ? parsed.data : {};
  const seconds = Number(answer.retryAfter ?? status.details?.retryAfterSeconds ?? Number.NaN);
  return new KubeError(status.message ?? (answer.body.slice(0, 300) || `status ${answer.status}`), {
    status: answer.status,
    reason: status.reason ?? 'Unknown',
    causes: (status.details?.causes ?? []).flatMap(({ reason }) => (reason === undefined ? [] : [reason])),
    ...(Number.isFinite(seconds) ? { retryAfterMs: seconds * 1_000 } : {}),
    request,
    server,
  });
}

export function networkError(error: Error, request: string, server: string): KubeError {
  return new KubeError(
    error.message === '' ? error.name : error.message,
    { status: 'network', reason: 'Network', causes: [], request, server },
    { cause: error },
  );
}

/** The row of the error table that tells a person. What can be repaired outside the spec is `retry`. */
export function toMillraceError(error: KubeError): MillraceError {
  const { status, request, server, causes } = error.failure;
  const params = { object: request, problem: error.message };
  if (status === 'network' || status === 429 || status >= 500) {
    return mr('MR_KUBERNETES_UNAVAILABLE', { server, problem: error.message }, { cause: error });
  }
  if (status === 401 || status === 403) return mr('MR_KUBERNETES_FORBIDDEN', params, { cause: error });
  if (status === 409 && !causes.includes('FieldManagerConflict')) {
    return mr('MR_KUBERNETES_UNAVAILABLE', { server, problem: error.message }, { cause: error });
  }
  return mr('MR_KUBERNETES_REFUSED', params, { cause: error });
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A proxy in between may answer with HTML; the status is enough then.
    return undefined;
  }
}
