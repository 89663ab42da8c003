/**
 * Whether a writer has a frame that a reader must still take: one with records, of a plan that has the reader. The
 * labels continue those of `./drained.ts`.
 *
 * N6  It goes back from the writer's last frame to one that was taken: from a frame to the one that it names, and over
 *     runs of frames of plans without the reader at once. So a frame that is missing before the first of a run is noticed;
 *     a plan that is not stored, or not on the replica that answered, may have the reader. Both count as a frame that is
 *     for it: what nobody knows is waited for.
 * N7  The frames of a run can be many, and large: its first frame is found by halving (`./first-of-plan.ts`). A look once
 *     read every frame of it, a bounded number at a time, and a writer at work was faster.
 */
import { firstOfPlan } from './first-of-plan.ts';
import { frameAt, type StoredFrame } from './frame-at.ts';
import { planIn, type Frame } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { hasTaken, type Taken } from './taken.ts';
import type { WriterPlace } from './writer-place.ts';

export interface Asked {
  readonly place: WriterPlace;
  readonly taken: Taken;
  /** Whether the reader is not in the plan of this generation. */
  readonly isWithout: (generation: number) => boolean;
}

export async function hasUntaken(streams: JetStreamPort, asked: Asked): Promise<boolean> {
  const { place, taken, isWithout } = asked;
  const { stream, subject } = place;
  const tail = await frameAt(streams, stream, { last_by_subj: subject });
  if (tail === undefined) return false;
  for (let at: StoredFrame | undefined = tail; at !== undefined;) {
    const { sequence, frame }: StoredFrame = at;
    if (hasTaken(taken, sequence, frame.check)) return false;
    const isPassed = frame.count === 0 || isWithout(planIn(frame));
    if (frame.link === undefined || sequence < taken.upTo || !isPassed) return true;
    const { link }: Frame = isWithout(planIn(frame)) ? (await firstOfRun(streams, asked, at)).frame : frame;
    if (link === undefined || link.predecessor >= sequence) return true;
    if (link.predecessor === 0 || (taken.check === null && link.predecessor <= taken.upTo)) return false;
    at = await frameAt(streams, stream, { seq: link.predecessor });
  }
  return true;
}

/** N7. The first frame after what was taken from which on, up to `last`, no plan has the reader. */
async function firstOfRun(
  streams: JetStreamPort,
  { place, taken, isWithout }: Asked,
  last: StoredFrame,
): Promise<StoredFrame> {
  let oldest = planIn(last.frame);
  while (oldest > 1 && isWithout(oldest - 1)) oldest--;
  return firstOfPlan(streams, place, oldest, taken.upTo, last);
}
