/** Asks about what the stream of the commits holds, until nats-server answers; the slot's observer is told of the wait. */
import { commitsEdge, edgeStream } from '../model/names.ts';
import { waitingAs, type SlotObserver } from './slot-observer.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface CommitsAsker extends Omit<Asking, 'onWaiting'> {
  readonly observer: SlotObserver;
}

/** Rejects as {@link untilAnswered} does. */
export function askCommits<T>(
  asker: CommitsAsker,
  pid: string,
  ask: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const asking = { ...asker, onWaiting: waitingAs(asker.observer, 'commits') };
  return untilAnswered(edgeStream(pid, commitsEdge), ask, asking, signal);
}
