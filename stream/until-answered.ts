/** Asks nats-server until it answers; the observer is notified of the wait. */
import { MillraceError, mr, problemOf } from '../model/errors.ts';
import { backoffMs, natsBackoff } from './backoff.ts';
import type { Clock } from '../model/clock.ts';
import { isConnectionClosed, isNatsError, isStreamNotFound } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { streamMissing } from './stream-missing.ts';

export interface Asking {
  readonly streams: JetStreamPort;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onWaiting: (reason: MillraceError | undefined) => void;
}

/**
 * `stream`: the stream that is asked about, for the message when it does not exist. Rejects with the signal's reason, and
 * with what no waiting mends ({@link whyUnanswered}).
 */
export async function untilAnswered<T>(
  stream: string,
  ask: () => Promise<T>,
  { streams, clock, random, onWaiting }: Asking,
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      const answer = await ask();
      if (attempt > 0) onWaiting(undefined);
      return answer;
    } catch (error) {
      onWaiting(whyUnanswered(streams, stream, error));
      await clock.sleep(backoffMs(natsBackoff, attempt, random), signal);
    }
  }
}

/**
 * What is waited for when nats-server has not answered. Throws an error that is an answer, even if a bad one, or a
 * defect of ours: asking again would only hide it. So it does with a closed connection, which will never give any.
 */
export function whyUnanswered(streams: JetStreamPort, stream: string, error: unknown): MillraceError {
  if (error instanceof MillraceError || isConnectionClosed(error) || !isNatsError(error)) throw error;
  return isStreamNotFound(error)
    ? streamMissing(stream, { cause: error })
    : mr('MR_STREAM_UNAVAILABLE', { server: streams.server, problem: problemOf(error) }, { cause: error });
}
