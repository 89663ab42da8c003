/**
 * The position of a dead-letter frame: which input it covers, and how many dead letters its writer has stored in
 * total. With these running totals, overall and by code, counting a pipeline's dead letters needs only each writer's
 * last frame.
 *
 * Dead letters of one input range that need several frames: all but the last keep the old `covers` and say in `part`
 * how many entries of the new range are stored, so that a crash between them repeats none.
 */
import { z } from 'zod';
import { mr, problemOf } from '../model/errors.ts';
import { cutInside } from '../model/text.ts';
import { decodeFrame, type FramePlace } from './frame-reader.ts';
import type { Position } from './record-batch.ts';

const deadLetterPositionSchema = z.object({
  /** A sink slot: the stream sequence of its input. A source slot: what identifies the record at the source. */
  covers: z.json(),
  total: z.number().int().nonnegative(),
  part: z.object({ of: z.json(), entries: z.number().int().nonnegative() }).optional(),
  /** Frames of 0.1 have none. */
  byCode: z.record(z.string(), z.object({ records: z.number().int().nonnegative(), sample: z.string() })).optional(),
});

/** By error code, all that its writer has stored, and what the last one said. */
export type CountByCode = Readonly<Record<string, { readonly records: number; readonly sample: string }>>;

export interface DeadLetterPosition {
  readonly covers: Position;
  readonly total: number;
  readonly part?: { readonly of: Position; readonly entries: number } | undefined;
  readonly byCode?: CountByCode | undefined;
}

/** How many codes are kept, so that a position stays small. Codes are those of the error table, so they are few. */
export const maxSampleLength = 200;

/** The totals after `letters` have also been stored. */
export function countLetters(
  before: CountByCode,
  letters: readonly { readonly code: string; readonly text: string }[],
): CountByCode {
  const counts = new Map(Object.entries(before));
  for (const { code, text } of letters) {
    const records = (counts.get(code)?.records ?? 0) + 1;
    counts.set(code, { records, sample: cutInside(text, maxSampleLength) });
  }
  return Object.fromEntries(counts);
}

export function deadLetterPosition(bytes: Uint8Array, place: FramePlace): DeadLetterPosition {
  const { position } = decodeFrame(bytes, place);
  try {
    return deadLetterPositionSchema.parse(position);
  } catch (error) {
    throw mr('MR_FRAME_CORRUPT', { ...place, problem: problemOf(error) }, { cause: error });
  }
}
