/**
 * How every process of Millrace ends.
 *
 * P1  SIGTERM or SIGINT aborts the signal; running work ends in order; the exit code is 0, whatever the aborted work
 *     throws (errors other than the abort are logged).
 * P2  Work that fails by itself is logged once, and the exit code is 1.
 * P3  A second signal ends the process at once.
 * P4  A process that must start anew, because what it has read at its start is old, ends as if it was asked to.
 */
import type { Logger } from 'pino';

/** Resolves with the exit code. `orWhen`: makes the signal that is also aborted when the process must start anew. */
export async function untilAskedToStop(
  log: Pick<Logger, 'fatal' | 'warn'>,
  work: (stop: AbortSignal) => Promise<void>,
  orWhen: (stop: AbortSignal) => AbortSignal = (stop) => stop,
): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => {
    forget();
    stop.abort(new Error('the process was asked to stop'));
  };
  const forget = () => void process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  const signal = orWhen(stop.signal);
  try {
    await work(signal);
    return 0;
  } catch (error) {
    if (signal.aborted) {
      if (!isAbort(error, signal)) log.warn({ err: error }, 'stopped, with an error on the way out');
      return 0;
    }
    log.fatal({ err: error }, 'the process failed');
    return 1;
  } finally {
    forget();
  }
}

function isAbort(error: unknown, { reason }: AbortSignal): boolean {
  return error === reason || (error instanceof Error && (error.name === 'AbortError' || error.cause === reason));
}

/** Resolves when `signal` is aborted, or at once when it is already. */
export function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
