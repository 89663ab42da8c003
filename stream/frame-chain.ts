/**
 * What a reader remembers of the frames that it has taken: enough to tell whether the next frame is the successor.
 *
 * I6  The first frame of a writer that a reader sees must not follow a frame that the reader should have seen; every
 *     further one names its predecessor by sequence and checksum. Otherwise {@link FrameChain.follow} returns what was
 *     found instead. Up to where the reader was registered, or a person decided, frames need not follow each other.
 * H1  A commit records what was taken up to the committed position: frames that were read ahead do not count.
 * H2  A frame of version 1 names no predecessor. It is always accepted, and the first frame of version 2 after it
 *     starts a chain.
 */
import { z } from 'zod';
import type { Frame } from './frame-reader.ts';

const count = z.number().int().nonnegative();

export const chainSchema = z.object({
  /** When the edge's stream was created: sequences of another stream mean nothing here. */
  edge: z.string(),
  /**
   * Sequence, in the stream of the commits, of the last decision about the edge that this reader applied
   * (`./decisions.ts`). If that stream was recreated, the number of its first message.
   */
  decided: count,
  /** The reader was registered here and need not have seen anything before it. */
  since: count,
  /**
   * For each writer the last frame taken: sequence and checksum; null: a frame of version 1. Sequence 0, or absent: none
   * (T3 of `./taken.ts`).
   */
  writers: z.record(z.string(), z.tuple([count, count.nullable()])),
});

export type Chain = z.infer<typeof chainSchema>;

/** A frame that does not follow. */
export interface ChainBreak {
  readonly writer: string;
  readonly sequence: number;
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
    const { since } = this.#committed;
    // Up to there a decision covers whatever does not fit: otherwise `accept-loss` would meet the same break again
    // for ever.
    const isChecked = link !== undefined && sequence > since;
    if (isChecked && !follows(link.predecessor, link.predecessorCheck, head, since)) {
      return { writer, sequence, taken: head?.[0] ?? 0, named: link.predecessor };
    }
    const check = checkIn(frame);
    this.#heads.set(writer, [sequence, check]);
    this.#ahead.push({ writer, sequence, check });
    return undefined;
  }

  /** The writer has left and come back: its next frame starts a new chain. */
  forget(writer: string): void {
    this.#heads.delete(writer);
  }

  /**
   * The reader continues after `position`, which is not after `before`, where it was: what comes up to there need not
   * follow anything. At the same place nothing changes: the stream may have gone back unnoticed, and the next frames tell.
   */
  restart(position: number, before: number): Chain {
    if (position === before) return this.#committed;
    const since = Math.max(before, this.#committed.since);
    const kept = Object.entries(this.#committed.writers).filter(([, [sequence]]) => sequence <= position);
    this.#committed = { ...this.#committed, since, writers: Object.fromEntries(kept) };
    this.#heads.clear();
    for (const [writer, head] of kept) this.#heads.set(writer, head);
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
    this.#committed = { ...this.#committed, writers };
    return this.#committed;
  }
}

/** By which the next frame names this one. Null: it is of version 1, and is not named (H2). */
export function checkIn({ link, check }: Pick<Frame, 'link' | 'check'>): number | null {
  return link === undefined ? null : check;
}

function follows(
  predecessor: number,
  predecessorCheck: number,
  head: readonly [number, number | null] | undefined,
  since: number,
): boolean {
  if (head === undefined) return predecessor <= since;
  const [sequence, check] = head;
  if (check === null) return predecessor === 0 || predecessor === sequence;
  return predecessor === sequence && predecessorCheck === check;
}
