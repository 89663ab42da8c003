/**
 * Up to where a reader has taken what one writer wrote: what may be swept, and what is still to be read.
 *
 * T1  A commit counts only for the stream that it was made in: of a stream that was made again, nothing is taken.
 * T2  A commit of v0.1 says nothing of writers: its position counts.
 * T3  Whoever places a reader notes the last frame of every writer (`./reader-start.ts`). So of a writer that is not noted
 *     it has taken nothing, under whatever numbers its frames are: they may have been given before, and lost. Seed
 *     11010136: frames under such numbers were swept unread.
 */
import type { CommitEntry } from './commit-entry.ts';
import { positionOf } from './commit-entry.ts';
import { checkOf } from './frame.ts';
import type { JetStreamPort } from './jetstream-port.ts';

export interface Taken {
  /** Stream sequence. */
  readonly upTo: number;
  /** Checksum of the frame there, if the reader took it itself; null: it cannot tell. */
  readonly check: number | null;
}

const nothing: Taken = { upTo: 0, check: null };

/** `created`: of the stream as it is now. */
export function takenOf(entry: CommitEntry | undefined, created: string, writer: string): Taken {
  if (entry === undefined) return nothing;
  const { chain } = entry;
  if (chain === undefined) return { upTo: positionOf(entry), check: null };
  if (chain.edge !== created) return nothing;
  const [upTo, check] = chain.writers[writer] ?? [0, null];
  return { upTo, check };
}

/** T1, T2: the position of a reader, 0 when it was committed in another stream. `created`: as above. */
export function positionIn(entry: CommitEntry | undefined, created: string): number {
  if (entry === undefined || (entry.chain !== undefined && entry.chain.edge !== created)) return 0;
  return positionOf(entry);
}

/** Whether the frame that the reader took last is there, as it took it. */
export async function isThere(
  streams: Pick<JetStreamPort, 'getMessage'>,
  { stream, subject }: { readonly stream: string; readonly subject: string },
  { upTo, check }: Taken,
): Promise<boolean> {
  const frame = await streams.getMessage(stream, { seq: upTo });
  return frame?.subject === subject && checkOf(frame.data) === check;
}

/**
 * Whether the frame is the one up to which the reader has taken everything, or comes before. A frame before it that is
 * the writer's last is no such frame: the stream has lost the one that the reader took.
 */
export function hasTaken({ upTo, check }: Taken, sequence: number, frameCheck: number): boolean {
  return check === null ? sequence <= upTo : sequence === upTo && check === frameCheck;
}
