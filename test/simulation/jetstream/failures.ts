/** What the client throws, made as it makes them: the code under test must not see the difference. */
import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

export function apiError(code: number, description: string): Error {
  return new JetStreamApiError({ code: statusOf[code] ?? 400, err_code: code, description });
}

const statusOf: Readonly<Record<number, number>> = { 10059: 404, 10014: 404, 10008: 503, 10077: 503, 10047: 503 };

export const streamNotFound = () => apiError(10059, 'stream not found');
export const consumerNotFound = () => apiError(10014, 'consumer not found');

/** A request on a subject that nobody listens to. */
export function noResponders(subject: string): Error {
  const cause = new errors.NoRespondersError(subject);
  return new errors.RequestError(cause.message, { cause });
}

/** The client says so when a publish or an API request has no responders. */
export function notEnabled(subject: string): Error {
  return new Error('jetstream is not enabled', { cause: noResponders(subject) });
}

export function timedOut(): Error {
  return new errors.TimeoutError();
}

export function closed(): Error {
  return new errors.ClosedConnectionError();
}

export function payloadTooLarge(): Error {
  return errors.InvalidArgumentError.format('payload', 'max_payload size exceeded');
}
