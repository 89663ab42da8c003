/**
 * A heartbeat for every activity, however short: when its worker is killed, Temporal gives the step to another one after
 * the heartbeat time-out and not after the time that a slow answer may take. It brings cancellation, too.
 */
import { Context } from '@temporalio/activity';
import type { Json } from '../model/value.ts';

const everyMs = 1_000;
const told = new WeakMap<Context, Json>();
const lastBeat = new WeakMap<Context, number>();

/** Runs the body of the current activity with a beat. What `beatWith` told last is repeated. */
export async function beating<R>(act: () => Promise<R>): Promise<R> {
  const context = Context.current();
  lastBeat.set(context, Date.now());
  const before: unknown = context.info.heartbeatDetails;
  const timer = setInterval(() => {
    lastBeat.set(context, Date.now());
    // Of the attempt before, until this one has told something.
    context.heartbeat(told.get(context) ?? before ?? null);
  }, everyMs);
  try {
    return await act();
  } finally {
    clearInterval(timer);
  }
}

/** Tells how far the current activity is. */
export function beatWith(progress: Json): void {
  const context = Context.current();
  told.set(context, progress);
  context.heartbeat(progress);
}

/** How long the beat of an activity is silent; 0 when it has none. */
export function sinceLastBeatMs(context: Context): number {
  const last = lastBeat.get(context);
  return last === undefined ? 0 : Date.now() - last;
}
