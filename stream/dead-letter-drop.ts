/**
 * Removes the oldest dead letters of a pipeline to make room (D3). Any writer that finds the dead edge full may do it
 * for all writers: only the beginning of each writer's letters is removed, so the first remaining frame tells how
 * many are gone, even if the process that removed them crashed ({@link droppedOf}).
 */
import { deadEdge, edgeStream } from '../model/names.ts';
import { deadLetterPosition } from './dead-letter-position.ts';
import { decodeFrame } from './frame-reader.ts';
import type { JetStreamPort, StoredMessage } from './jetstream-port.ts';

export interface DroppedLetters {
  readonly letters: number;
  readonly bytes: number;
}

/** Removes whole frames, oldest first, until this many bytes are free; never the last frame of a writer. */
export async function dropOldestLetters(streams: JetStreamPort, pid: string, bytes: number): Promise<DroppedLetters> {
  const stream = edgeStream(pid, deadEdge);
  const all = `mr.${pid}.${deadEdge}.>`;
  const lasts = new Map((await streams.lastOfEach(stream, all)).map(({ subject, seq }) => [subject, seq]));
  const dropped = { letters: 0, bytes: 0 };
  for (let next = 1; dropped.bytes < bytes;) {
    // One after the other: each begins where the one before ended.
    const oldest = await streams.directGet(stream, { seq: next, next_by_subj: all });
    if (oldest === null) break;
    next = oldest.seq + 1;
    if (oldest.seq >= (lasts.get(oldest.subject) ?? 0)) continue;
    await streams.purgeStream(stream, { filter: oldest.subject, seq: next });
    dropped.letters += lettersIn(stream, oldest);
    dropped.bytes += oldest.data.length;
  }
  return dropped;
}

/** How many letters of all writers have been removed so far. `lasts`: the last frame of each writer. */
export async function droppedOf(
  streams: Pick<JetStreamPort, 'directGet'>,
  stream: string,
  lasts: readonly Pick<StoredMessage, 'subject'>[],
): Promise<number> {
  const gone = await Promise.all(
    lasts.map(async ({ subject }) => {
      const first = await streams.directGet(stream, { seq: 1, next_by_subj: subject });
      if (first === null) return 0;
      const { total } = deadLetterPosition(first.data, { stream, sequence: first.seq });
      return total - lettersIn(stream, first);
    }),
  );
  return gone.reduce((sum, one) => sum + one, 0);
}

function lettersIn(stream: string, { data, seq }: StoredMessage): number {
  return decodeFrame(data, { stream, sequence: seq }).count;
}
