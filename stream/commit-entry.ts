/**
 * What the commit log of a sink slot holds: one entry, the last.
 *
 * C1  An intent names the range that is being written: after a crash that same range is written again.
 * C2  `after` of an intent is the committed position until the commit replaces it.
 * C5  `chain` says which stream the positions are of, and which frames were taken up to the committed one. Entries of
 *     v0.1 have none.
 */
import { z } from 'zod';
import { mr, problemOf } from '../model/errors.ts';
import { chainSchema } from './frame-chain.ts';
import type { FramePlace } from './frame-reader.ts';

const sequence = z.number().int().nonnegative();

export const commitEntrySchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('intent'),
    from: sequence,
    to: sequence,
    after: sequence,
    token: z.string(),
    rows: z.number().int().nonnegative(),
    chain: chainSchema.optional(),
  }),
  z.object({ kind: z.literal('commit'), to: sequence, chain: chainSchema.optional() }),
]);

export type CommitEntry = z.infer<typeof commitEntrySchema>;
export type Intent = Extract<CommitEntry, { kind: 'intent' }>;

export function decodeCommitEntry(bytes: Uint8Array, place: FramePlace): CommitEntry {
  try {
    return commitEntrySchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    throw mr('MR_FRAME_CORRUPT', { ...place, problem: problemOf(error) }, { cause: error });
  }
}

export function committedPosition(bytes: Uint8Array, place: FramePlace): number {
  const entry = decodeCommitEntry(bytes, place);
  return entry.kind === 'commit' ? entry.to : entry.after;
}
