/**
 * Lets go of the signals of a run that is over.
 *
 * Node keeps a signal that is made of others (`AbortSignal.any`) for as long as somebody listens to it. A process that is
 * killed in the model listens for ever, and all that it had would stay: a real one takes its memory along.
 */
import { getEventListeners } from 'node:events';

const made = new Set<AbortSignal>();
const any = AbortSignal.any.bind(AbortSignal);
let isWatching = false;

/** From now on, signals that are made of others are known. */
export function watchSignals(): void {
  if (isWatching) return;
  isWatching = true;
  AbortSignal.any = (signals) => {
    const signal = any(signals);
    if (!signal.aborted) made.add(signal);
    return signal;
  };
}

export function forgetSignals(): void {
  for (const signal of made)
    for (const listener of getEventListeners(signal, 'abort')) {
      // Node's types do not say that what it lists is what it was given.
      Reflect.apply(signal.removeEventListener, signal, ['abort', listener]);
    }
  made.clear();
}
