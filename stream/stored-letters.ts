/**
 * Which dead letters of one writer are stored: read from the dead edge itself.
 *
 * D5  Where an input is processed a second time and may have another outcome (a sink with the position in its tables was
 *     rolled back, the commit log was), what is covered does not say which letters are stored. Each is looked for by its
 *     name and by the checksum of its frame, whose number may have been given again, and stored when it is not found. One
 *     that was removed to make room is stored a second time: not known to be stored, it counts as missing.
 */
import { deadLetterId, deadLettersOf, isOfRecord, type DeadLetter } from './dead-letter.ts';
import { deadLetterPosition } from './dead-letter-position.ts';
import type { StoredMessage } from './jetstream-port.ts';
import type { Position } from './record-batch.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface LettersOfWriter {
  readonly stream: string;
  readonly subject: string;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** A frame, and where in the input its letters came from. */
interface Span {
  readonly sequence: number;
  readonly range: Range;
}

/** A copy that lags is asked again after this time. */
const lagMs = 250;

/**
 * Reads every frame once and remembers which part of the input its letters are of, because after a rollback each batch
 * asks: its letters are in few of the frames, and only these are read again.
 */
export class StoredLetters {
  readonly #place: LettersOfWriter;
  readonly #asking: Asking;
  readonly #spans: Span[] = [];
  #readTo = 0;

  constructor(place: LettersOfWriter, asking: Asking) {
    this.#place = place;
    this.#asking = asking;
  }

  /**
   * The names of those that are stored. `last`: sequence of the writer's last frame. `isOfInput`: whether a frame that
   * covers this is of the input that is meant.
   */
  async among(
    letters: readonly DeadLetter[],
    last: number,
    isOfInput: (covers: Position) => boolean,
    signal: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    await this.#remember(last, signal);
    const { stream } = this.#place;
    const asked = new Map(letters.map((letter) => [deadLetterId(letter), letter]));
    const wanted = rangeOf(letters);
    const found = new Set<string>();
    for (const { sequence } of this.#spans.filter(({ range }) => overlap(range, wanted))) {
      const frame = await this.#frameFrom(sequence, signal);
      // One that was removed to make room is missing.
      if (frame?.seq !== sequence) continue;
      const { covers, part } = deadLetterPosition(frame.data, { stream, sequence });
      if (!isOfInput(part === undefined ? covers : part.of)) continue;
      for (const stored of deadLettersOf(frame.data, { stream, sequence })) {
        const name = deadLetterId(stored);
        const letter = asked.get(name);
        if (letter !== undefined && isOfRecord(stored, letter)) found.add(name);
      }
    }
    return found;
  }

  async #remember(last: number, signal: AbortSignal): Promise<void> {
    const { stream } = this.#place;
    while (this.#readTo < last) {
      // One after the other: each begins where the one before ended.
      const frame = await this.#frameFrom(this.#readTo + 1, signal);
      if (frame === undefined) return;
      const range = rangeOf(deadLettersOf(frame.data, { stream, sequence: frame.seq }));
      this.#spans.push({ sequence: frame.seq, range });
      this.#readTo = frame.seq;
    }
  }

  /** The writer's first frame from a sequence on; undefined: there is none. */
  async #frameFrom(sequence: number, signal: AbortSignal): Promise<StoredMessage | undefined> {
    const { stream, subject } = this.#place;
    const { streams, clock } = this.#asking;
    for (;;) {
      const read = () => streams.directGet(stream, { seq: sequence, next_by_subj: subject });
      const frame = await untilAnswered(stream, read, this.#asking, signal);
      if (frame !== null) return frame;
      const leaders = () => streams.getMessage(stream, { last_by_subj: subject });
      const last = await untilAnswered(stream, leaders, this.#asking, signal);
      if (last === null || last.seq < sequence) return undefined;
      // The leader has it: this copy lags.
      await clock.sleep(lagMs, signal);
    }
  }
}

/** Of none: a range that overlaps nothing. */
function rangeOf(letters: readonly DeadLetter[]): Range {
  // As many as a batch has records: too many to be arguments.
  let [first, last] = [Infinity, -Infinity];
  for (const { sequence } of letters) {
    first = Math.min(first, sequence ?? 0);
    last = Math.max(last, sequence ?? 0);
  }
  return { first, last };
}

function overlap(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}
