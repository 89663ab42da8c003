/**
 * Which dead letters of one writer are stored: read from the dead edge itself.
 *
 * D5  Where an input is processed a second time and may have another outcome (a sink with the position in its tables was
 *     rolled back, the commit log was), what is covered does not say which letters are stored. Each is looked for by its
 *     name, and stored when it is not found. One that was removed to make room is stored a second time: not known to be
 *     stored, it counts as missing.
 */
import { deadLetterId, deadLettersOf } from './dead-letter.ts';
import { deadLetterPosition } from './dead-letter-position.ts';
import type { Position } from './record-batch.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface LettersOfWriter {
  readonly stream: string;
  readonly subject: string;
  /** Sequence of the writer's last frame. */
  readonly last: number;
}

/** A copy that lags is asked again after this time. */
const lagMs = 250;

/** Those of the names that are stored. `isOfInput`: whether a frame that covers this is of the input that is meant. */
export async function storedOf(
  names: ReadonlySet<string>,
  { stream, subject, last }: LettersOfWriter,
  isOfInput: (covers: Position) => boolean,
  asking: Asking,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const { streams, clock } = asking;
  for (let next = 1; next <= last && found.size < names.size;) {
    const from = next;
    const read = () => streams.directGet(stream, { seq: from, next_by_subj: subject });
    // One after the other: each begins where the one before ended.
    const frame = await untilAnswered(stream, read, asking, signal);
    if (frame === null) {
      // The writer's last frame is never removed, so it is this copy that does not have it yet, unless all are gone.
      const leaders = () => streams.getMessage(stream, { last_by_subj: subject });
      if ((await untilAnswered(stream, leaders, asking, signal)) === null) break;
      await clock.sleep(lagMs, signal);
      continue;
    }
    next = frame.seq + 1;
    const place = { stream, sequence: frame.seq };
    const { covers, part } = deadLetterPosition(frame.data, place);
    if (!isOfInput(part === undefined ? covers : part.of)) continue;
    for (const letter of deadLettersOf(frame.data, place)) {
      const name = deadLetterId(letter);
      if (names.has(name)) found.add(name);
    }
  }
  return found;
}
