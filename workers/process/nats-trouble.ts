/** What keeps NATS from letting a process in, as a sentence of its log: at once, and then no more often than others wait. */
import type { Logger } from 'pino';
import { MillraceError, mr, problemOf } from '../../model/errors.ts';
import { hostsOf } from './hosts.ts';
import { repeatLogMs } from './until-up.ts';

/** For `onTrouble` of a connection. `url` may hold what is secret: it is not repeated. */
export function tellingNatsTrouble(
  url: string,
  log: Pick<Logger, 'warn'>,
  now: () => number = () => performance.now(),
): (error: Error) => void {
  let saidAt = -Infinity;
  return (error) => {
    if (now() - saidAt < repeatLogMs) return;
    saidAt = now();
    const { code, sentence } = natsTrouble(url, error);
    log.warn({ code }, sentence);
  };
}

/** In the words of the table. */
export function natsTrouble(url: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return mr('MR_STREAM_UNAVAILABLE', { server: hostsOf(url), problem: problemOf(error) }, { cause: error });
}
