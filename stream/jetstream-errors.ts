/**
 * What an error of the NATS client means to a writer. The only place that knows codes, classes and texts of client and
 * server; test/stream/jetstream-errors.test.ts has a row for each, and triggers most of them on a real nats-server.
 */
import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

export type PublishFailure =
  /**
   * Refused: the subject's last sequence is a different one. An earlier copy of the same message may have changed it.
   */
  | { readonly kind: 'wrongSequence' }
  /** Refused, because an earlier copy, or another message of this subject or id, is still being replicated. */
  | { readonly kind: 'inProcess' }
  /** Refused: no room. `stream`: its own limit; `store`: nats-server's; `account`: that of the account. */
  | { readonly kind: 'full'; readonly limit: FullLimit }
  /** Refused, as every other attempt would be: larger than the server or the stream accepts. */
  | { readonly kind: 'tooLarge' }
  /** Refused: no stream receives this subject. It does not exist, has no leader, or JetStream is still starting. */
  | { readonly kind: 'missing' }
  /** No attempt can succeed in this process: its connection was closed. */
  | { readonly kind: 'closed' }
  /** It is unknown whether the message is stored, or the request is impossible only for now. */
  | { readonly kind: 'unknown' };

export type FullLimit = 'stream' | 'store' | 'account';

const wrongSequence: PublishFailure = { kind: 'wrongSequence' };
const inProcess: PublishFailure = { kind: 'inProcess' };
const tooLarge: PublishFailure = { kind: 'tooLarge' };
const missing: PublishFailure = { kind: 'missing' };
const closed: PublishFailure = { kind: 'closed' };
const unknown: PublishFailure = { kind: 'unknown' };
const full = (limit: FullLimit): PublishFailure => ({ kind: 'full', limit });

const streamNotFound = 10059;
const consumerNotFound = 10014;
const nameInUse = 10058;
const subjectsInUse = 10065;
const storeFailed = 10077;

/** Error codes of JetStream. A code that is not listed is `unknown`: the writer waits, then reads the tail. */
export const answers: Readonly<Record<number, PublishFailure>> = {
  10071: wrongSequence, // wrong last sequence: N
  10164: inProcess, // wrong last sequence: a message of the same subject is being agreed on
  10158: inProcess, // duplicate message id is in process
  10002: full('account'), // resource limits exceeded for account
  10023: full('store'), // insufficient resources
  10028: full('store'), // insufficient memory resources available
  10047: full('store'), // insufficient storage resources available: nothing more can be reserved
  10120: full('account'), // no JetStream default or applicable tiered limit present
  10122: full('account'), // stream max bytes exceeds account limit max stream bytes
  10054: tooLarge, // message size exceeds maximum allowed
  10097: tooLarge, // header size exceeds maximum allowed of 64k
  [streamNotFound]: missing,
};

/** Code 10077 passes on the text of the store. */
const storeTexts: readonly (readonly [RegExp, PublishFailure])[] = [
  [/maximum (bytes|messages|messages per subject) exceeded/, full('stream')],
  [/message too large/, tooLarge],
];

export function classifyPublishFailure(error: unknown): PublishFailure {
  if (error instanceof JetStreamApiError) {
    if (error.code !== storeFailed) return answers[error.code] ?? unknown;
    return storeTexts.find(([text]) => text.test(error.message))?.[1] ?? unknown;
  }
  if (isConnectionClosed(error)) return closed;
  if (isNoResponders(error)) return missing;
  // The client compares with the limit that the server reported when the client connected.
  if (error instanceof errors.InvalidArgumentError && error.message.includes('max_payload')) return tooLarge;
  return unknown;
}

/** A stream of this name exists with a different configuration. */
export function isNameInUse(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === nameInUse;
}

/** A stream of another name receives some of the subjects. */
export function isSubjectsInUse(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === subjectsInUse;
}

/** The stream does not exist (and JetStream is available to say so). */
export function isStreamNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === streamNotFound;
}

/** Already gone: it was idle for longer than its lifetime. */
export function isConsumerNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === consumerNotFound;
}

function isNoResponders(error: unknown): boolean {
  if (error instanceof errors.RequestError) return error.isNoResponders();
  if (error instanceof errors.NoRespondersError) return true;
  return error instanceof Error && error.cause !== undefined && isNoResponders(error.cause);
}

/** Whether the failure is one of NATS or JetStream, rather than of the caller's use of them. */
export function isNatsError(error: unknown): boolean {
  const kinds = [JetStreamError, JetStreamApiError, ...Object.values(errors)];
  if (kinds.some((kind) => error instanceof kind)) return true;
  return error instanceof Error && error.cause !== undefined && isNatsError(error.cause);
}

/** No attempt can succeed on this connection, because it was closed: only when this process is ending. */
export function isConnectionClosed(error: unknown): boolean {
  return error instanceof errors.ClosedConnectionError || error instanceof errors.DrainingConnectionError;
}
