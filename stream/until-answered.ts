/** Asks nats-server until it answers: it is waited for as everything here waits for it, and the observer knows. */
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

/** `stream`: what the answer is about, for the message when it is not there. Rejects with the signal's reason. */
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
      // What the table knows is an answer, if not a good one; a closed connection will never give any.
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
