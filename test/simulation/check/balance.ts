/**
 * I7  What one run of a slot's loop says of itself adds up when nothing is on its way: taken = handed on + dropped + dead.
 *     It is what the metrics of a pod are made of (workers/pod/state.ts). Two things are told by nobody:
 *     - dead letters that an earlier run has stored of a batch that this one finished;
 *     - requests by HTTP that were taken and are not stored: known before, without room, above the share of keys.
 */
import type { SimObserver } from '../plant/observer.ts';

export interface Counted {
  readonly kind: 'ingestor' | 'sink';
  readonly system: 'http' | 'kafka' | undefined;
  /** Dead letters that the stage had before the run began. */
  readonly lettersBefore: number;
}

/** What does not add up; undefined: it does. */
export function imbalance(
  { taken, handed, droppedRecords, dead }: SimObserver,
  { kind, system, lettersBefore }: Counted,
): string | undefined {
  const missing = taken - handed - droppedRecords - dead;
  const most = system === 'http' ? Infinity : kind === 'sink' ? lettersBefore : 0;
  if (missing >= 0 && missing <= most) return undefined;
  return `${taken} records taken, ${handed} handed on, ${droppedRecords} dropped, ${dead} dead letters`;
}
