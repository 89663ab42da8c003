import { mr } from '../model/errors.ts';
import type { Clock } from './clock.ts';
import { emptyFrame } from './frame-builder.ts';
import type { FrameLink } from './frame.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { Position } from './record-batch.ts';
import type { WriterPlace } from './writer-place.ts';

interface EmptyFrame {
  readonly expectLast: number;
  readonly position: Position | undefined;
  readonly link: FrameLink;
}

/**
 * Appends a frame without records on a writer's behalf. False when another owner appended first. Throws MR_EDGE_FULL.
 */
export async function appendEmpty(
  { streams, clock }: { readonly streams: JetStreamPort; readonly clock: Pick<Clock, 'now'> },
  { subject, stream, maxBytes }: WriterPlace,
  { expectLast, position, link }: EmptyFrame,
): Promise<boolean> {
  try {
    await streams.publish(subject, emptyFrame(position, clock.now(), link), { expectLast });
    return true;
  } catch (error) {
    const failure = classifyPublishFailure(error).kind;
    if (failure === 'wrongSequence') return false;
    if (failure === 'full') throw mr('MR_EDGE_FULL', { edge: stream, bytes: maxBytes }, { cause: error });
    throw error;
  }
}
