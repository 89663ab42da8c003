/**
 * Opens an external system (a source's reader, a sink's slot), retrying indefinitely with capped backoff; the
 * observer knows why.
 */
import type { MillraceError } from '../model/errors.ts';
import { backoffMs, outsideBackoff } from './backoff.ts';
import type { Clock } from '../model/clock.ts';
import type { SlotObserver, SlotSignals } from './slot-observer.ts';

export interface Outside {
  readonly observer: SlotObserver;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signals: SlotSignals;
}

/**
 * `named` turns any failure into an error of the table. Rejects with the signal's reason when asked to stop
 * meanwhile.
 */
export async function untilOpen<T>(
  open: () => Promise<T>,
  named: (error: unknown) => MillraceError,
  { observer, clock, random, signals }: Outside,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      const opened = await open();
      observer.connection(undefined);
      return opened;
    } catch (error) {
      observer.connection(named(error));
      await clock.sleep(backoffMs(outsideBackoff, attempt, random), signals.stop);
    }
  }
}
