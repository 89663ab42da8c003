/**
 * The position of a dead-letter frame: which input it covers, and how many dead letters its writer has stored in all.
 * The running total makes the count of a pipeline one look at the last frame of each writer.
 *
 * Dead letters of one input range that need several frames: all but the last keep the old `covers` and say in `part`
 * how many entries of the new range are stored, so that a crash between them repeats none.
 */
import { z } from 'zod';
import { mr, problemOf } from '../model/errors.ts';
import { decodeFrame, type FramePlace } from './frame-reader.ts';
import type { Position } from './record-batch.ts';

const deadLetterPositionSchema = z.object({
  /** A sink slot: the stream sequence of its input. A source slot: what identifies the record at the source. */
  covers: z.json(),
  total: z.number().int().nonnegative(),
  part: z.object({ of: z.json(), entries: z.number().int().nonnegative() }).optional(),
});

export interface DeadLetterPosition {
  readonly covers: Position;
  readonly total: number;
  readonly part?: { readonly of: Position; readonly entries: number } | undefined;
}

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
