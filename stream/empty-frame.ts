/**
 * A frame without records in a writer's place, by the lifecycle.
 *
 * F1  A full edge is no reason to wait for others, who may be gone: it finds room as a writer does (`./room.ts`), behind
 *     all writers (E6), because those of a source that leaves have no pod that would sweep. Where there is none, the edge
 *     grows beyond its limit by this frame: readers run only after it, and a reader that has left may be registered until
 *     then. Seed 9016846: an edit took the place of one that had just stopped the pods of a sink that it took off, and
 *     waited for good; so did one that added a source to a pipeline that was paused with a full edge.
 */
import { mr } from '../model/errors.ts';
import type { Clock } from '../model/clock.ts';
import { emptyFrame } from './frame-builder.ts';
import type { FrameLink } from './frame.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { passOver } from './pass-over.ts';
import type { Position } from './record-batch.ts';
import { firstBytes, StreamRoom } from './room.ts';
import { sweepAll } from './sweep.ts';
import type { WriterPlace } from './writer-place.ts';

interface EmptyFrame {
  readonly expectLast: number;
  readonly position: Position | undefined;
  readonly link: FrameLink;
}

/** Giving back what is not used is for those who go on writing. */
const neverAgain: Pick<Clock, 'after'> = { after: () => () => undefined };

/** What the server stores with a frame: its subject, headers, and numbers. */
const besideBytes = 512;

/** False when another owner appended first. Throws MR_EDGE_FULL when a writer was faster to use the room that was made. */
export async function appendEmpty(
  { streams, clock }: { readonly streams: JetStreamPort; readonly clock: Pick<Clock, 'now'> },
  place: WriterPlace,
  { expectLast, position, link }: EmptyFrame,
): Promise<boolean> {
  const frame = emptyFrame(position, clock.now(), link);
  const first = await appended(streams, place, frame, expectLast);
  if (first !== 'full') return first;
  await makeRoom(streams, place, frame.length + besideBytes);
  const second = await appended(streams, place, frame, expectLast);
  if (second === 'full') throw fullEdge(place);
  return second;
}

async function appended(
  streams: JetStreamPort,
  { subject }: WriterPlace,
  frame: Uint8Array,
  expectLast: number,
): Promise<boolean | 'full'> {
  try {
    await streams.publish(subject, frame, { expectLast });
    return true;
  } catch (error) {
    const failure = classifyPublishFailure(error).kind;
    if (failure === 'wrongSequence') return false;
    if (failure === 'full') return 'full';
    throw error;
  }
}

/** F1. */
async function makeRoom(streams: JetStreamPort, place: WriterPlace, bytes: number): Promise<void> {
  const { pid, edge, stream } = place;
  using room = new StreamRoom({
    ...{ streams, stream, clock: neverAgain, first: firstBytes.edge, most: edge.maxBytes, exceeds: 'always' },
    full: () => fullEdge(place),
    sweep: async () => {
      await sweepAll(streams, pid, edge);
      if (await passOver(streams, pid, edge)) await sweepAll(streams, pid, edge);
    },
  });
  const reason = await room.make(bytes);
  if (reason !== undefined) throw reason;
}

function fullEdge({ stream, edge }: WriterPlace) {
  return mr('MR_EDGE_FULL', { edge: stream, bytes: edge.maxBytes });
}
