/**
 * Waiting that costs next to nothing.
 *
 * W1  A wait is checked often at first: most end within half a minute.
 * W2  After that the activity fails, and Temporal retries it every quarter of a minute with one check each. So a wait
 *     for a person, which may take days, occupies no slot of a worker and writes no event.
 * W3  It ends at once when the activity is cancelled.
 */
import { Context } from '@temporalio/activity';
import type { Json } from '../model/value.ts';
import { beatWith } from './beat.ts';
import type { ActivityDependencies } from './dependencies.ts';

const closelyMs = 30_000;

export interface Follower {
  /** How long it has waited, earlier attempts included. */
  readonly waitedMs: number;
  /** Waits until the next check. Resolves with false when this attempt should end (W2). */
  goOn(progress: Json): Promise<boolean>;
}

/** Of the current activity. */
export function follow({ clock, pollMs }: ActivityDependencies): Follower {
  const { info, cancellationSignal } = Context.current();
  const since = sinceOf(info.heartbeatDetails) ?? clock.now();
  return {
    get waitedMs() {
      return clock.now() - since;
    },
    async goOn(progress) {
      beatWith({ since, progress });
      if (clock.now() - since >= closelyMs) return false;
      await clock.sleep(pollMs, cancellationSignal);
      return true;
    },
  };
}

/** Details of the previous attempt. */
function sinceOf(details: unknown): number | undefined {
  const isOurs = typeof details === 'object' && details !== null && 'since' in details;
  return isOurs && typeof details.since === 'number' ? details.since : undefined;
}
