/** The frames with which a leaving source ends (L5 of `./retire.ts`). */
import type { WriterTail } from './announce.ts';
import type { LastFrame } from './empty-frame.ts';

/** Of a subject without frames. */
export const nothing: LastFrame = [0, 0];

/** Pure. Whether each slot still ends with its frame of `ends`, or has been emptied since. */
export function haveEnded(tails: readonly WriterTail[], ends: readonly LastFrame[] | undefined): boolean {
  if (ends === undefined) return false;
  return tails.every(({ sequence, frame }, slot) => {
    const [end, check] = ends[slot] ?? nothing;
    return sequence === 0 || (sequence === end && frame?.check === check);
  });
}
