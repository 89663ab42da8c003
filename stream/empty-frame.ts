/** Appends a frame without records on behalf of a writer. An act of the lifecycle. */
import type { Clock } from '../model/clock.ts';
import { storeInEdge } from './edge-room.ts';
import { emptyFrame } from './frame-builder.ts';
import { checkOf, type FrameLink } from './frame.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { Position } from './record-batch.ts';
import type { WriterPlace } from './writer-place.ts';

interface EmptyFrame {
  readonly expectLast: number;
  readonly position: Position | undefined;
  readonly link: FrameLink;
}

/** Sequence and checksum. */
export type LastFrame = [number, number];

/** What was stored. Undefined: another owner appended first. Throws as {@link storeInEdge} does. */
export async function appendEmpty(
  { streams, clock }: { readonly streams: JetStreamPort; readonly clock: Pick<Clock, 'now'> },
  place: WriterPlace,
  { expectLast, position, link }: EmptyFrame,
): Promise<LastFrame | undefined> {
  const frame = emptyFrame(position, clock.now(), link);
  try {
    const publish = () => streams.publish(place.subject, frame, { expectLast });
    const { seq } = await storeInEdge(streams, place, frame.length, publish);
    return [seq, checkOf(frame)];
  } catch (error) {
    if (classifyPublishFailure(error).kind === 'wrongSequence') return undefined;
    throw error;
  }
}
