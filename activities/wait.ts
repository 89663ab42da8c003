/**
 * Waiting costs next to nothing.
 *
 * W1  A wait is followed closely at first: most end within half a minute.
 * W2  After that the activity fails, to be tried again by Temporal every quarter of a minute with one look each. A wait for
 *     a person, which may take days, so holds no slot of a worker, and no event is written.
 * W3  It ends at once when the activity is cancelled.
 */
import { Context } from '@temporalio/activity';
import type { Json } from '../model/value.ts';
import { beatWith } from './beat.ts';
import type { ActivityDependencies } from './dependencies.ts';

const closelyMs = 30_000;

export interface Follower {
  /** How long it waits already, earlier attempts included. */
  readonly waitedMs: number;
  /** Until the next look. Resolves with false when this attempt should end (W2). */
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

/** What the attempt before has told. */
function sinceOf(details: unknown): number | undefined {
  const isOurs = typeof details === 'object' && details !== null && 'since' in details;
  return isOurs && typeof details.since === 'number' ? details.since : undefined;
}
