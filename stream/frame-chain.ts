/**
 * What a reader knows of the frames that it has taken: enough to tell that the next one is the next.
 *
 * I6  The first frame of a writer that a reader meets follows nothing that the reader should have seen; every further
 *     one names the frame before it by sequence and checksum. Else {@link FrameChain.follow} says what it met instead.
 *     Up to where it was registered, or a person decided, nothing need follow.
 * H1  What goes into a commit is what was taken up to the committed position: frames taken ahead do not count.
 * H2  A frame of version 1 names no predecessor. It is taken as it comes, and the first frame of version 2 after it
 *     begins a chain.
 */
import { z } from 'zod';
import type { Frame } from './frame-reader.ts';

const count = z.number().int().nonnegative();

export const chainSchema = z.object({
  /** When the edge's stream was made: sequences of another stream mean nothing here. */
  edge: z.string(),
  /**
   * Of the last decision about the edge that this reader acted on, its sequence in the stream of the commits
   * (`./decisions.ts`). Where that stream was made again, the number of its first message.
   */
  decided: count,
  /** Up to here the reader need not have seen anything: it was registered there. */
  since: count,
  /** Of each writer, the last frame taken: sequence and checksum; null: of version 1. */
  writers: z.record(z.string(), z.tuple([count, count.nullable()])),
});

export type Chain = z.infer<typeof chainSchema>;

/** A frame that does not follow. */
export interface ChainBreak {
  readonly writer: string;
  readonly sequence: number;
  /** Sequence of the frame that the reader took last of this writer; 0: none. */
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

  /** Takes the frame, or says why it does not follow; then nothing has changed. */
  follow(writer: string, sequence: number, frame: Pick<Frame, 'link' | 'check'>): ChainBreak | undefined {
    const head = this.#heads.get(writer);
    const { link } = frame;
    const { since } = this.#committed;
    // Before that, whatever does not fit together is decided: else `accept-loss` would meet it again for ever.
    const isChecked = link !== undefined && sequence > since;
    if (isChecked && !follows(link.predecessor, link.predecessorCheck, head, since)) {
      return { writer, sequence, taken: head?.[0] ?? 0, named: link.predecessor };
    }
    const check = link === undefined ? null : frame.check;
    this.#heads.set(writer, [sequence, check]);
    this.#ahead.push({ writer, sequence, check });
    return undefined;
  }

  /** The writer has left and come back: its next frame begins anew. */
  forget(writer: string): void {
    this.#heads.delete(writer);
  }

  /**
   * The reader goes on after `position`, whatever it has taken: what it meets up to where it was, or up to there, need
   * not follow anything.
   */
  restart(position: number, before: number): Chain {
    const since = Math.max(position, before, this.#committed.since);
    this.#committed = { ...this.#committed, since, writers: {} };
    this.#heads.clear();
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
