/**
 * Whether a writer has a frame that a reader must still take: one with records, of a plan that has the reader. The
 * labels continue those of `./drained.ts`.
 *
 * N6  It walks back from the writer's last frame, from each frame to the one that it names, to one that was taken. So a
 *     frame that is missing on the way is noticed; a plan that is not stored, or not on the replica that answered, may
 *     have the reader. Both count as a frame that is for it: what nobody knows is waited for.
 * N7  Frames that are not for the reader can be many, and large. One look reads a bounded number of them, and says that
 *     there may be one; the next look goes on from there, as long as the writer writes nothing.
 */
import { decodeFrame, planIn, type Frame } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { hasTaken, type Taken } from './taken.ts';
import type { WriterPlace } from './writer-place.ts';

/** N7. Kept from one look to the next. */
export class Walks {
  readonly #byPair = new Map<string, Walk>();
  /** How often a look has ended before the end of its walk, and so could not tell. */
  cutShort = 0;

  /** Where to go on, or undefined: at the writer's last frame. */
  nextOf(pair: string, tail: number): number | undefined {
    const walk = this.#byPair.get(pair);
    return walk?.tail === tail ? walk.next : undefined;
  }

  note(pair: string, walk: Walk): void {
    this.#byPair.set(pair, walk);
    this.cutShort++;
  }
}

interface Walk {
  /** The writer's last frame. */
  readonly tail: number;
  /** The first that was not looked at. */
  readonly next: number;
}

/** N7. */
const mostFrames = 64;

export interface Asked {
  readonly stage: string;
  readonly place: WriterPlace;
  readonly taken: Taken;
  /** Whether the reader is not in the plan of this generation. */
  readonly isWithout: (generation: number) => boolean;
  /** Absent: who looks only once walks the whole way. */
  readonly walks: Walks | undefined;
}

export async function hasUntaken(
  streams: JetStreamPort,
  { stage, place: { stream, subject }, taken, isWithout, walks }: Asked,
): Promise<boolean> {
  let message = await streams.getMessage(stream, { last_by_subj: subject });
  if (message === null) return false;
  const tail = message.seq;
  const pair = `${stage} ${subject}`;
  const next = walks?.nextOf(pair, tail);
  if (next !== undefined && next > taken.upTo) message = await streams.getMessage(stream, { seq: next });
  for (let framesRead = 0; message !== null; framesRead++) {
    const { seq: sequence } = message;
    if (walks !== undefined && framesRead === mostFrames) {
      walks.note(pair, { tail, next: sequence });
      return true;
    }
    const frame = decodeFrame(message.data, { stream, sequence });
    if (hasTaken(taken, sequence, frame.check)) return false;
    if (frame.link === undefined || sequence < taken.upTo || !isPassed(frame, isWithout)) return true;
    const { predecessor } = frame.link;
    if (predecessor === 0 || (taken.check === null && predecessor <= taken.upTo)) return false;
    message = await streams.getMessage(stream, { seq: predecessor });
  }
  return true;
}

/** Frames without records contain nothing that could be missed. */
function isPassed(frame: Frame, isWithout: Asked['isWithout']): boolean {
  return frame.count === 0 || isWithout(planIn(frame));
}
