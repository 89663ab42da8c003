/**
 * A heartbeat for every activity, however short: when its worker is killed, Temporal gives the step to another one
 * after the heartbeat timeout instead of the much longer timeout of a slow answer. Heartbeats also deliver
 * cancellation.
 */
import { Context } from '@temporalio/activity';
import type { Json } from '../model/value.ts';

const everyMs = 1_000;
const told = new WeakMap<Context, Json>();
const lastBeat = new WeakMap<Context, number>();

/** Runs the body of the current activity with a heartbeat, which repeats the last details given to `beatWith`. */
export async function beating<R>(act: () => Promise<R>): Promise<R> {
  const context = Context.current();
  lastBeat.set(context, Date.now());
  const before: unknown = context.info.heartbeatDetails;
  const timer = setInterval(() => {
    lastBeat.set(context, Date.now());
    // Details of the previous attempt, until this one has given some.
    context.heartbeat(told.get(context) ?? before ?? null);
  }, everyMs);
  try {
    return await act();
  } finally {
    clearInterval(timer);
  }
}

/** Records how far the current activity has got. */
export function beatWith(progress: Json): void {
  const context = Context.current();
  told.set(context, progress);
  context.heartbeat(progress);
}

/** How long the activity has sent no heartbeat; 0 when it has none. */
export function sinceLastBeatMs(context: Context): number {
  const last = lastBeat.get(context);
  return last === undefined ? 0 : Date.now() - last;
}
