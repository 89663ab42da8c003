/**
 * What a reader remembers of the frames that it has taken: enough to tell whether the next frame is the successor.
 *
 * I6  Every frame names the one before it of its writer, by sequence and checksum, and that must be the one that the reader
 *     took last, or the one on which its place rests (`./reader-start.ts`). Otherwise {@link FrameChain.follow} returns what
 *     was found instead. A writer of which neither is known had no frame when the reader was placed, so its first one follows
 *     none. It once could follow whatever was there then: the edge went back, a source was added, and what it wrote under
 *     numbers below the reader's place was not read (seed power:778 is another such).
 *     Only a frame about which a person was asked, and has decided, may follow the one after which it was met: otherwise
 *     "accept-loss" about a frame that is missing in the middle would meet the same one again, for ever.
 * H1  A commit records what was taken up to the committed position: frames that were read ahead do not count.
 * H2  A frame of version 1 names no predecessor. It is always accepted, and the first frame of version 2 after it
 *     starts a chain.
 */
import { z } from 'zod';
import type { Frame } from './frame-reader.ts';

const count = z.number().int().nonnegative();

/** Sequence and checksum of a frame, and the sequence of the one of its writer after which it was met; 0: none. */
export const acceptedSchema = z.tuple([count, count, count]);

export const chainSchema = z.object({
  /** When the edge's stream was created: sequences of another stream mean nothing here. */
  edge: z.string(),
  /**
   * Sequence, in the stream of the commits, of the last decision about the edge that this reader applied
   * (`./decisions.ts`). If that stream was recreated, the number of its first message.
   */
  decided: count,
  /** Where the stream ended when the reader was placed: what its sink has stored beyond that is not of this place. */
  since: count,
  /**
   * For each writer the last frame taken, or the one that the reader's place rests on: sequence and checksum; null: a
   * frame of version 1. Sequence 0, or absent: none (T3 of `./taken.ts`).
   */
  writers: z.record(z.string(), z.tuple([count, count.nullable()])),
  /** Up to there it had taken everything before it was placed back because of its sink: what is gone of that by then was swept. */
  tookTo: count.optional(),
  /** Frames that a person accepts as they are. They stay so where a reader goes back behind them. */
  accepted: z.array(acceptedSchema).optional(),
});

export type Chain = z.infer<typeof chainSchema>;
export type Heads = Chain['writers'];
export type Accepted = z.infer<typeof acceptedSchema>;

/** A frame that does not follow. */
export interface ChainBreak {
  readonly writer: string;
  readonly sequence: number;
  readonly check: number;
  /** Sequence of the last frame of this writer that the reader took; 0: none. */
  readonly taken: number;
  /** Sequence that the frame names. */
  readonly named: number;
}

interface Taken {
  readonly writer: string;
  readonly sequence: number;
  readonly check: number | null;
}

export class FrameChain {
  #committed: Chain;
  readonly #heads: Map<string, readonly [number, number | null]>;
  /** Taken and not committed, in stream order. */
  readonly #ahead: Taken[] = [];

  constructor(committed: Chain) {
    this.#committed = committed;
    this.#heads = new Map(Object.entries(committed.writers));
  }

  /** As of the last commit. */
  get committed(): Chain {
    return this.#committed;
  }

  /** Takes the frame, or returns why it does not follow and changes nothing. */
  follow(writer: string, sequence: number, frame: Pick<Frame, 'link' | 'check'>): ChainBreak | undefined {
    const head = this.#heads.get(writer);
    const { link } = frame;
    const isRight =
      link === undefined ||
      follows(link.predecessor, link.predecessorCheck, head) ||
      this.#isAccepted(sequence, frame.check, head?.[0] ?? 0);
    if (!isRight) {
      return { writer, sequence, check: frame.check, taken: head?.[0] ?? 0, named: link.predecessor };
    }
    this.begin(writer, sequence, frame);
    return undefined;
  }

  /** Takes the frame, whatever it follows: its writer has left and come back. */
  begin(writer: string, sequence: number, frame: Pick<Frame, 'link' | 'check'>): void {
    const check = checkIn(frame);
    this.#heads.set(writer, [sequence, check]);
    this.#ahead.push({ writer, sequence, check });
  }

  /**
   * The reader goes back to a place that rests on `heads`, from `before`, where it was. To stay where it is, it must not be
   * placed: the stream may have gone back unnoticed, and the next frames tell.
   */
  restart(heads: Heads, before: number): Chain {
    const since = Math.max(before, this.#committed.since);
    const tookTo = Math.max(before, this.#committed.tookTo ?? 0);
    this.#committed = { ...this.#committed, since, tookTo, writers: heads };
    this.#heads.clear();
    for (const [writer, head] of Object.entries(heads)) this.#heads.set(writer, head);
    this.#ahead.length = 0;
    return this.#committed;
  }

  /** Everything up to `position` is committed (H1). */
  commit(position: number): Chain {
    let passed = 0;
    const writers = { ...this.#committed.writers };
    for (const { writer, sequence, check } of this.#ahead) {
      if (sequence > position) break;
      writers[writer] = [sequence, check];
      passed++;
    }
    this.#ahead.splice(0, passed);
    const { tookTo, ...rest } = this.#committed;
    this.#committed = { ...rest, writers, ...(tookTo === undefined || tookTo <= position ? {} : { tookTo }) };
    return this.#committed;
  }

  #isAccepted(sequence: number, check: number, taken: number): boolean {
    const isIt = ([at, its, after]: Accepted) => at === sequence && its === check && after === taken;
    return this.#committed.accepted?.some(isIt) ?? false;
  }
}

/** By which the next frame names this one. Null: it is of version 1, and is not named (H2). */
export function checkIn({ link, check }: Pick<Frame, 'link' | 'check'>): number | null {
  return link === undefined ? null : check;
}

function follows(
  predecessor: number,
  predecessorCheck: number,
  [sequence, check]: readonly [number, number | null] = [0, null],
): boolean {
  if (check === null) return predecessor === 0 || predecessor === sequence;
  return predecessor === sequence && predecessorCheck === check;
}
