/**
 * The position of a dead-letter frame: which input it covers, and how many dead letters its writer has stored in all.
 * The running total makes the count of a pipeline one look at the last frame of each writer.
 */
import { z } from 'zod';
import { mr, problemOf } from '../crds/errors.ts';
import { decodeFrame, type FramePlace } from './frame-reader.ts';

export const deadLetterPositionSchema = z.object({
  /** A sink slot: the stream sequence of its input. A source slot: what identifies the record at the source. */
  covers: z.json(),
  total: z.number().int().nonnegative(),
});

export type DeadLetterPosition = z.infer<typeof deadLetterPositionSchema>;

export function deadLetterPosition(bytes: Uint8Array, place: FramePlace): DeadLetterPosition {
  const { position } = decodeFrame(bytes, place);
  try {
    return deadLetterPositionSchema.parse(position);
  } catch (error) {
    throw mr('MR_FRAME_CORRUPT', { ...place, problem: problemOf(error) }, { cause: error });
  }
}

export function totalOf(bytes: Uint8Array, place: FramePlace): number {
  return deadLetterPosition(bytes, place).total;
}
