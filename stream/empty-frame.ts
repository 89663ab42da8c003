/**
 * Appends a frame without records on behalf of a writer. An act of the lifecycle.
 *
 * F1  A full edge does not stop the lifecycle, because whoever would make room may be gone. It makes room as a writer does
 *     (`./room.ts`), behind all writers (E6): those of a leaving source have no pod that sweeps. If that is not enough, the
 *     edge grows beyond its limit by this frame, since readers start, and leaving ones are unregistered, only after it.
 *     Seed 9016846: an edit stopped the pods of a sink; another replaced that edit, found the edge full, and waited for
 *     good.
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

/** Those who go on writing give back what is not used. */
const noTimer: Pick<Clock, 'after'> = { after: () => () => undefined };

/** What the server counts for a frame beside its bytes: the subject, headers, and numbers. */
const overheadBytes = 512;

type Attempt = 'stored' | 'overtaken' | 'full';

/**
 * False when another owner appended first. Throws MR_EDGE_FULL when a writer was faster to use the room that was made, and
 * what keeps JetStream from giving any.
 */
export async function appendEmpty(
  { streams, clock }: { readonly streams: JetStreamPort; readonly clock: Pick<Clock, 'now'> },
  place: WriterPlace,
  { expectLast, position, link }: EmptyFrame,
): Promise<boolean> {
  const frame = emptyFrame(position, clock.now(), link);
  let attempt = await tryAppend(streams, place, frame, expectLast);
  if (attempt === 'full') {
    await makeRoom(streams, place, frame.length + overheadBytes);
    attempt = await tryAppend(streams, place, frame, expectLast);
  }
  if (attempt === 'full') throw fullEdge(place);
  return attempt === 'stored';
}

async function tryAppend(
  streams: JetStreamPort,
  { subject }: WriterPlace,
  frame: Uint8Array,
  expectLast: number,
): Promise<Attempt> {
  try {
    await streams.publish(subject, frame, { expectLast });
    return 'stored';
  } catch (error) {
    const failure = classifyPublishFailure(error).kind;
    if (failure === 'wrongSequence') return 'overtaken';
    if (failure === 'full') return 'full';
    throw error;
  }
}

/** F1. */
async function makeRoom(streams: JetStreamPort, place: WriterPlace, bytes: number): Promise<void> {
  const { pid, edge, stream } = place;
  using room = new StreamRoom({
    ...{ streams, stream, clock: noTimer, first: firstBytes.edge, most: edge.maxBytes, exceeds: 'always' },
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
