/** What an error of the NATS client means to a writer. The one place that knows codes and classes of that client. */
import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

export type PublishFailure =
  /** Refused: the subject's last sequence is another one. */
  | 'wrongSequence'
  /** Refused: no room in the stream or in the store. */
  | 'full'
  /** Refused: nobody takes this subject. The stream is not there, or JetStream is still starting. */
  | 'missing'
  /** Unknown whether it is stored. */
  | 'ambiguous';

const wrongSequenceCodes = new Set([10071, 10164]);
/** Maximum bytes or messages of the stream exceeded; insufficient resources; storage quota exceeded. */
const fullCodes = new Set([10077, 10023, 10047]);
const streamNotFound = 10059;

export function classifyPublishFailure(error: unknown): PublishFailure {
  if (error instanceof JetStreamApiError) {
    if (wrongSequenceCodes.has(error.code)) return 'wrongSequence';
    if (fullCodes.has(error.code)) return 'full';
    if (error.code === streamNotFound) return 'missing';
    return 'ambiguous';
  }
  return isNoResponders(error) ? 'missing' : 'ambiguous';
}

/** The stream does not exist (and JetStream is there to say so). */
export function isStreamNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === streamNotFound;
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
