/** Asks nats-server until it answers; the observer is notified of the wait. */
import { MillraceError, mr, problemOf } from '../model/errors.ts';
import { backoffMs, natsBackoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import { isConnectionClosed, isStreamNotFound } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { streamMissing } from './stream-missing.ts';

export interface Asking {
  readonly streams: JetStreamPort;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onWaiting: (reason: MillraceError | undefined) => void;
}

/**
 * `stream`: the stream that is asked about, for the message when it does not exist. Rejects with the signal's reason.
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
      // An error of the table is a definite answer, even if a bad one; a closed connection will never give any.
      if (error instanceof MillraceError || isConnectionClosed(error)) throw error;
      onWaiting(
        isStreamNotFound(error)
          ? streamMissing(stream, { cause: error })
          : mr('MR_STREAM_UNAVAILABLE', { server: streams.server, problem: problemOf(error) }, { cause: error }),
      );
      await clock.sleep(backoffMs(natsBackoff, attempt, random), signal);
    }
  }
}
