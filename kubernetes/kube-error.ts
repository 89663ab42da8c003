/**
 * Failures of the Kubernetes API: parsed here and nowhere else.
 *
 * K1  Every failed request becomes a {@link KubeError}, which says what the failure means, never which status it had.
 * K2  `Retry-After` of the server is kept, so that retries can honour it.
 * K3  Only the API server's own Status object is believed. "404 page not found" of a proxy in between was once taken
 *     for the deletion of a pipeline.
 */
import { z } from 'zod';
import { mr, type MillraceError } from '../model/errors.ts';
import { jsonOrNothing } from '../model/json-or-nothing.ts';
import { cut } from '../model/text.ts';
import type { Asked } from './asked.ts';
import { verdicts, type Situation, type Verdict } from './verdicts.ts';

const statusSchema = z.looseObject({
  kind: z.literal('Status'),
  reason: z.string().default('Unknown'),
  message: z.string().default(''),
  details: z
    .looseObject({
      group: z.string().default(''),
      /** The plural, although the field is called kind. */
      kind: z.string().default(''),
      name: z.string().default(''),
      retryAfterSeconds: z.number().optional(),
      causes: z.array(z.looseObject({ reason: z.string().default(''), field: z.string().default('') })).nullish(),
    })
    .nullish(),
});

type Status = z.output<typeof statusSchema>;

export interface KubeFailure {
  readonly situation: Situation;
  /** HTTP status; undefined when there was no answer. */
  readonly status: number | undefined;
  readonly asked: Asked;
  /** Reasons of the server's causes: `FieldManagerConflict`, `NamespaceTerminating`, … */
  readonly causes: readonly string[];
  readonly retryAfterMs?: number;
  /** What was requested, for people: `apply Deployment shop/orders`. */
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

  get verdict(): Verdict {
    return verdicts[this.failure.situation][this.failure.asked.verb];
  }

  /** The API server says that this object, which was requested, does not exist. */
  isProvenAbsent(): boolean {
    return this.failure.situation === 'absent';
  }

  /** The API server says that the namespace, in which something should be created, does not exist. */
  isWithoutNamespace(): boolean {
    return this.failure.situation === 'namespaceAbsent';
  }

  /** Another writer was faster, or another object has the name now. */
  isConflict(): boolean {
    return this.verdict === 'conflict';
  }

  /** Fields belong to another field manager. Retrying does not help. */
  isFieldConflict(): boolean {
    return this.failure.causes.includes('FieldManagerConflict');
  }

  /** The position in a watch or a list is too old: start again. */
  isExpired(): boolean {
    return this.failure.situation === '410';
  }

  /** The API server does not know the type, or it is another server that has nothing there. */
  isWithoutType(): boolean {
    const { situation } = this.failure;
    return situation === '404' || situation === 'noRoute';
  }
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly retryAfter?: string | undefined;
}

const maxRetryAfterSeconds = 60;

/** The error for an answer other than the expected one. */
export function parseAnswer(answer: Answer, asked: Asked, request: string, server: string): KubeError {
  // A proxy's page: its text is shown, but means nothing.
  const parsed = statusSchema.safeParse(jsonOrNothing(answer.body));
  const said = parsed.success ? parsed.data : undefined;
  // The API asks for seconds; a proxy that asks for a day must not park what waits for it.
  const wished = Number(answer.retryAfter ?? said?.details?.retryAfterSeconds ?? Number.NaN);
  const seconds = Math.min(Math.max(wished, 0), maxRetryAfterSeconds);
  const page = `status ${answer.status}, and not by the Kubernetes API: ${firstLine(answer.body)}`;
  return new KubeError(said?.message ?? page, {
    situation: said === undefined && isNoRoute(answer) ? 'noRoute' : situationOf(answer.status, said, asked),
    status: answer.status,
    asked,
    causes: (said?.details?.causes ?? []).map(({ reason }) => reason),
    ...(Number.isFinite(seconds) ? { retryAfterMs: seconds * 1_000 } : {}),
    request,
    server,
  });
}

export function networkError(error: Error, asked: Asked, request: string, server: string): KubeError {
  return new KubeError(
    error.message === '' ? error.name : error.message,
    { situation: 'network', status: undefined, asked, causes: [], request, server },
    { cause: error },
  );
}

/** A successful status with a body that is not from the Kubernetes API. */
export function foreignAnswer(problem: string, asked: Asked, request: string, server: string): KubeError {
  const failure = { situation: 'foreign', status: undefined, asked, causes: [], request, server } as const;
  return new KubeError(`the answer is not one of the Kubernetes API: ${problem}`, failure);
}

/** What the API server, and any other program in Go, says of a path of a group that it does not know. */
function isNoRoute({ status, body }: Answer): boolean {
  return status === 404 && body.trim() === '404 page not found';
}

function situationOf(status: number, said: Status | undefined, asked: Asked): Situation {
  if (status >= 500) return '5xx';
  if (status === 429) return '429';
  if (said === undefined) return 'foreign';
  if (said.reason === 'Expired' || said.reason === 'Gone') return '410';
  if (status === 404) return whatIsNotFound(said, asked);
  if (status === 403 && isAboutAnotherName(said)) return 'notInThatName';
  if (status === 422 && said.details?.causes?.some(({ field }) => field === 'metadata.uid')) return 'anotherObject';
  switch (status) {
    case 400:
    case 401:
    case 403:
    case 405:
    case 409:
    case 410:
    case 413:
    case 415:
    case 422:
      return `${status}`;
    default:
      return 'other';
  }
}

/** The verb of the right that is missing: `impersonate`, `impersonate:user-info`, `impersonate-on:user-info:patch`. */
function isAboutAnotherName({ message }: Status): boolean {
  return / cannot impersonate(-on:|:| )/.test(message);
}

/** V1. */
function whatIsNotFound({ reason, details }: Status, asked: Asked): Situation {
  if (reason !== 'NotFound' || details == null || details.name === '') return '404';
  const { group, kind, name } = details;
  if (group === asked.group && kind === asked.resource && name === asked.name) return 'absent';
  return group === '' && kind === 'namespaces' && name === asked.namespace ? 'namespaceAbsent' : '404';
}

/** The row of the error table for a person. What can be repaired outside the spec is `retry`. */
export function toMillraceError(error: KubeError): MillraceError {
  const { situation, asked, request, server, causes } = error.failure;
  const options = { cause: error };
  const problem = error.message;
  if (situation === '403' && causes.includes('NamespaceTerminating')) {
    return mr('MR_NAMESPACE_BLOCKED', { namespace: asked.namespace ?? '', problem }, options);
  }
  if (situation === '401' || situation === '403') {
    return mr('MR_KUBERNETES_FORBIDDEN', { object: request, problem }, options);
  }
  switch (error.verdict) {
    case 'refuse':
      return mr('MR_KUBERNETES_REFUSED', { object: request, problem }, options);
    case 'gone': {
      const object = error.isWithoutNamespace() ? `Namespace ${asked.namespace ?? ''}` : request;
      return mr('MR_OBJECT_VANISHED', { object }, options);
    }
    case 'conflict':
      if (error.isFieldConflict()) return mr('MR_KUBERNETES_REFUSED', { object: request, problem }, options);
      return mr('MR_KUBERNETES_UNAVAILABLE', { server, problem }, options);
    case 'retry':
      return mr('MR_KUBERNETES_UNAVAILABLE', { server, problem }, options);
  }
}

function firstLine(body: string): string {
  const [line = ''] = body.trim().split('\n');
  return line === '' ? 'an empty page' : cut(line, 200);
}
