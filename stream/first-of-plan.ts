/** The first frame of a writer that names a plan or a later one. */
import { frameAt, type StoredFrame } from './frame-at.ts';
import { planIn } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { WriterPlace } from './writer-place.ts';

/**
 * Found by halving: the plan that a writer names never decreases (E9 of `./edge-writer.ts`). `last`: a frame of it that names
 * one. `after`: no frame up to there counts.
 */
export async function firstOfPlan(
  streams: Pick<JetStreamPort, 'getMessage'>,
  { stream, subject }: Pick<WriterPlace, 'stream' | 'subject'>,
  generation: number,
  after: number,
  last: StoredFrame,
): Promise<StoredFrame> {
  let first = last;
  // What comes up to `below` is of earlier plans; what comes from `from` on is not, and begins with `first`.
  let [below, from] = [after, last.sequence];
  // Mostly it is the next one.
  for (let at = below + 1; below + 1 < from; at = below + Math.floor((from - below) / 2)) {
    const found = await frameAt(streams, stream, { seq: at, next_by_subj: subject });
    if (found === undefined) return last;
    if (planIn(found.frame) < generation) below = found.sequence;
    else [first, from] = [found, at];
  }
  return first;
}
