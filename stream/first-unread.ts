/** What a reader of an edge has to read next of one writer. */
import { decodeFrame, type Frame } from './frame-reader.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import type { Taken } from './taken.ts';
import type { WriterPlace } from './writer-place.ts';

export type FirstUnread =
  | { readonly kind: 'none' }
  /** A lagging replica did not show it. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'frame'; readonly frame: Frame };

/** The first frame with records that the reader has not taken, up to a stream sequence at which the writer has a frame. */
export async function firstUnread(
  streams: JetStreamPort,
  { stream, subject, upTo }: Pick<WriterPlace, 'stream' | 'subject'> & { readonly upTo: number },
  taken: Taken,
): Promise<FirstUnread> {
  for (let next = taken.upTo + 1; next <= upTo;) {
    const message = await streams.directGet(stream, { seq: next, next_by_subj: subject });
    if (message === null) return { kind: 'unknown' };
    const frame = decodeFrame(message.data, { stream, sequence: message.seq });
    if (frame.count > 0) return { kind: 'frame', frame };
    next = message.seq + 1;
  }
  return { kind: 'none' };
}
