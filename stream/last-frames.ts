/** The frames with which a leaving source ends (L5 of `./retire.ts`). */
import { tailOf } from './announce.ts';
import type { LastFrame } from './empty-frame.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { WriterPlace } from './writer-place.ts';

/** Of a subject without frames. */
export const nothing: LastFrame = [0, 0];

/** Whether each place still ends with its frame of `ends`, or has been emptied since. */
export async function haveEnded(
  streams: JetStreamPort,
  places: readonly WriterPlace[],
  ends: readonly LastFrame[] | undefined,
): Promise<boolean> {
  if (ends === undefined) return false;
  for (const [slot, place] of places.entries()) {
    const { sequence, frame } = await tailOf(streams, place);
    const [end, check] = ends[slot] ?? nothing;
    if (sequence !== 0 && (sequence !== end || frame?.check !== check)) return false;
  }
  return true;
}
