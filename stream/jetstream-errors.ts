/**
 * What an error of the NATS client means to a writer. The one place that knows codes, classes and texts of client and
 * server; test/stream/jetstream-errors.test.ts has a row for each, and gets most of them from a real nats-server.
 */
import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

export type PublishFailure =
  /** Refused: the subject's last sequence is another one. An earlier copy of the same message may have moved it. */
  | { readonly kind: 'wrongSequence' }
  /** Refused, because an earlier copy, or another message of this subject or id, is on its way through the servers. */
  | { readonly kind: 'inProcess' }
  /** Refused: no room. `stream`: its own limit; `store`: nats-server's; `account`: that of the account. */
  | { readonly kind: 'full'; readonly limit: FullLimit }
  /** Refused, and so will be every other attempt: larger than server or stream take. */
  | { readonly kind: 'tooLarge' }
  /** Refused: nobody takes this subject. The stream is not there, has no leader, or JetStream is still starting. */
  | { readonly kind: 'missing' }
  /** No attempt can succeed in this process: its connection was closed. */
  | { readonly kind: 'closed' }
  /** Whether it is stored is not known, or only for now not possible. */
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

/** Answers of JetStream. One that is not here is `unknown`: it is waited for, and the tail is looked at. */
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

/** 10077 says in words what the store said. */
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
  // The client compares with what the server said when it connected.
  if (error instanceof errors.InvalidArgumentError && error.message.includes('max_payload')) return tooLarge;
  return unknown;
}

/** A stream of this name is there, with another configuration. */
export function isNameInUse(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === nameInUse;
}

/** A stream of another name takes some of the subjects. */
export function isSubjectsInUse(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === subjectsInUse;
}

/** The stream does not exist (and JetStream is there to say so). */
export function isStreamNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === streamNotFound;
}

/** Gone already: it was left alone for longer than it lives. */
export function isConsumerNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === consumerNotFound;
}

function isNoResponders(error: unknown): boolean {
  if (error instanceof errors.RequestError) return error.isNoResponders();
  if (error instanceof errors.NoRespondersError) return true;
  return error instanceof Error && error.cause !== undefined && isNoResponders(error.cause);
}

/** Whether the failure is one of NATS or JetStream, and not of what was done with them. */
export function isNatsError(error: unknown): boolean {
  const kinds = [JetStreamError, JetStreamApiError, ...Object.values(errors)];
  if (kinds.some((kind) => error instanceof kind)) return true;
  return error instanceof Error && error.cause !== undefined && isNatsError(error.cause);
}

/** No attempt can succeed until somebody closes and opens the connection: only when this process is ending. */
export function isConnectionClosed(error: unknown): boolean {
  return error instanceof errors.ClosedConnectionError || error instanceof errors.DrainingConnectionError;
}
