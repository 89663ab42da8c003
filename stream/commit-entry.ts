/**
 * What the commit log of a sink slot holds: only its last entry.
 *
 * C1  An intent names the range that is being written, and its size. After a crash the same range is written again,
 *     and a range whose content has changed is noticed. The intent stays from before the first attempt that may store
 *     something until the outcome of that attempt is known.
 * C2  `after` is the committed position until the commit replaces it.
 * C3  Rows that the sink will never accept are recorded in the intent before the others are written: a repetition
 *     leaves out the same rows. They are named by their records (Y4 of `./refused-set.ts`), and so are those that
 *     became no row at all (`failed`): so the rows are known again, or known to be others, whatever the table is by then.
 * C4  `written`: the rows are certainly in the sink; what remains to be done is elsewhere (dead letters, commit). The
 *     dead letters are those of `failed` and `refused`, whatever the sink would make of the records now.
 * C5  `chain` says which stream the positions belong to, and which frames were taken up to the committed one.
 * C6  `check` is a checksum over the frames of the range. A stream that was rolled back gives its sequences to other
 *     frames, so the same numbers may be a different range from the one that was started.
 * C7  `target` is where the sink wrote (a name, `./target-name.ts`): another one, named by a later edit of the spec, does
 *     not know the batch. `left` are the targets that it wrote to before, with the committed position at which it left
 *     each: what one of them has is known when the sink comes back to it.
 *
 * Entries of v0.1 have neither bytes, time, mark, target, left, chain nor check, and no failed or refused records; they
 * are read without them. v0.1 logs no `written`.
 */
import { z } from 'zod';
import { mr, problemOf } from '../model/errors.ts';
import { chainSchema } from './frame-chain.ts';
import type { FramePlace } from './frame-reader.ts';
import { refusedSetSchema } from './refused-set.ts';

const count = z.number().int().nonnegative();

const targets = { target: z.string().optional(), left: z.record(z.string(), count).optional() };

const range = {
  ...targets,
  from: count,
  to: count,
  after: count,
  token: z.string(),
  check: count.optional(),
  rows: count,
  refused: refusedSetSchema.optional(),
  chain: chainSchema.optional(),
};

const commitEntrySchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('intent'),
    ...range,
    failed: refusedSetSchema.optional(),
    bytes: count.optional(),
    /** Milliseconds since 1970, before the first attempt. */
    at: count.optional(),
    /** What the sink reported about itself before the first attempt (`SinkSlotPort.mark`). */
    mark: z.record(z.string(), z.number()).nullable().optional(),
    /** `LoggedSinkSlot.shape` before the first attempt, or when the rows that are refused were found. */
    shape: z.string().optional(),
  }),
  z.object({ kind: z.literal('written'), ...range, failed: refusedSetSchema }),
  z.object({
    kind: z.literal('commit'),
    ...targets,
    to: count,
    chain: chainSchema.optional(),
    /**
     * Written by registration (`./register-readers.ts`) or by a person's decision (`./reader-start.ts`) instead of the
     * slot, or with a batch of the epoch before (K11 of `./sink-position.ts`): a sink that keeps the position itself has
     * yet to follow.
     */
    set: z.literal(true).optional(),
    /** Of a decision: what the sink had stored until then, if it keeps the position itself (K10 of `./sink-position.ts`). */
    had: count.optional(),
    /**
     * Written by registration: a position that the sink itself keeps counts if it is further on in the same edge
     * stream.
     */
    registered: z.literal(true).optional(),
    /** Of a reader whose registration is not finished: it is placed once more (M6 of `./register-readers.ts`). */
    placing: z.literal(true).optional(),
  }),
]);

export type CommitEntry = z.infer<typeof commitEntrySchema>;
export type Intent = Extract<CommitEntry, { kind: 'intent' }>;
export type Written = Extract<CommitEntry, { kind: 'written' }>;

export function decodeCommitEntry(bytes: Uint8Array, place: FramePlace): CommitEntry {
  try {
    return commitEntrySchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    throw mr('MR_FRAME_CORRUPT', { ...place, problem: problemOf(error) }, { cause: error });
  }
}

export function committedPosition(bytes: Uint8Array, place: FramePlace): number {
  return positionOf(decodeCommitEntry(bytes, place));
}

export function positionOf(entry: CommitEntry): number {
  return entry.kind === 'commit' ? entry.to : entry.after;
}

/** A batch that was begun and not committed, of which rows or dead letters may be stored: it has to be finished. */
export function isUnfinished(entry: CommitEntry): boolean {
  if (entry.kind === 'commit') return false;
  return entry.rows > 0 || (entry.failed !== undefined && entry.failed.records !== '');
}

/**
 * What a sink with a position of its own has stored, as far as the log knows; undefined: it knows nothing. `placed`: where
 * a decision places the log. A batch that was begun may be in the sink or not. Where the decision passes over it, it is
 * taken for stored, so that a sink that does not have it asks.
 */
export function hadAt(entry: CommitEntry | undefined, placed: number): number | undefined {
  if (entry === undefined) return undefined;
  if (entry.kind === 'written') return entry.to;
  if (entry.kind === 'intent') return Math.max(entry.after, Math.min(entry.to, placed));
  if (entry.set !== true) return entry.to;
  // It may have followed, and died before it said so.
  return entry.had === undefined ? undefined : Math.min(entry.had, entry.to);
}
