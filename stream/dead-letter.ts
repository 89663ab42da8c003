/**
 * One dead letter: the record as it was read, and why it could not be processed. Stored as a record of a frame on the
 * dead edge: value and key are the original bytes; the first header is Millrace's, and the original headers follow.
 */
import { z } from 'zod';
import { mr } from '../model/errors.ts';
import { cut } from '../model/text.ts';
import { decodeFrame, type Frame, type FramePlace } from './frame-reader.ts';
import type { Header } from './record-batch.ts';

const reasonSchema = z.object({
  stage: z.string(),
  slot: z.number().int(),
  /** Stream sequence of the input frame; null at a source, where nothing is stored yet. */
  sequence: z.number().int().nullable(),
  /** Checksum of the input frame. Absent: nothing is stored there yet, or the letter is of a release that did not note it. */
  check: z.number().int().optional(),
  /** Index of the record in its frame or batch. */
  index: z.number().int(),
  source: z.string(),
  partition: z.number().int().nullable(),
  /** A string, because it may exceed 2^53. */
  offset: z.string().nullable(),
  step: z.string().nullable(),
  code: z.string(),
  text: z.string(),
  /** Bytes of the whole value, when only its beginning is kept. */
  truncatedFrom: z.number().int().optional(),
  /** The same for the key; and how many headers there were, when only the first are kept. */
  keyTruncatedFrom: z.number().int().optional(),
  headersTruncatedFrom: z.number().int().optional(),
});

export type DeadLetterReason = z.infer<typeof reasonSchema>;

export interface DeadLetter extends DeadLetterReason {
  /** Null: the record had no key. */
  readonly value: Uint8Array | null;
  readonly key: Uint8Array | null;
  readonly headers: readonly Header[];
  /** Source time, milliseconds since 1970. */
  readonly timestamp: number;
}

const reasonHeader = 'millrace.deadLetter';
const maxTextLength = 2_000;

/** `stage:slot:sequence:index`; at a source the partition's offset stands for the sequence. */
export function deadLetterId(reason: DeadLetterReason): string {
  const place = reason.sequence ?? `${reason.partition ?? ''}@${reason.offset ?? ''}`;
  return `${reason.stage}:${reason.slot}:${place}:${reason.index}`;
}

/**
 * Whether a stored letter of the same {@link deadLetterId} is of the same record: an edge that went back gives numbers again. A
 * letter of a release that noted no checksum is of the record that has its time and offset.
 */
export function isOfRecord(stored: DeadLetter, { check, timestamp, offset }: DeadLetter): boolean {
  return stored.check === undefined
    ? stored.timestamp === timestamp && stored.offset === offset
    : stored.check === check;
}

export function headersOfDeadLetter(letter: DeadLetter): readonly Header[] {
  const { value: _value, key: _key, headers, timestamp: _timestamp, ...reason } = letter;
  return [[reasonHeader, JSON.stringify({ ...reason, text: cut(reason.text, maxTextLength) })], ...headers];
}

/** The entries of one frame of the dead edge. */
export function deadLettersOf(bytes: Uint8Array, place: FramePlace): DeadLetter[] {
  const frame = decodeFrame(bytes, place);
  return Array.from({ length: frame.count }, (_, index) => letterAt(frame, index, place));
}

function letterAt(frame: Frame, index: number, place: FramePlace): DeadLetter {
  const [own, ...headers] = frame.headers.get(index) ?? [];
  if (own?.[0] !== reasonHeader) {
    throw mr('MR_FRAME_CORRUPT', { ...place, problem: `record ${index} of the dead letters has no reason` });
  }
  const valueEnd = frame.valueEnd[index]!;
  const keyEnd = frame.keyEnd[index]!;
  return {
    ...reasonSchema.parse(JSON.parse(own[1])),
    value: valueEnd < 0 ? null : copyOf(frame, frame.valueStart[index]!, valueEnd),
    key: keyEnd < 0 ? null : copyOf(frame, frame.keyStart[index]!, keyEnd),
    headers,
    timestamp: frame.timestamps[index]!,
  };
}

/** A copy: `slice` of a Buffer would keep the whole frame in memory. */
export function copyOf(frame: Frame, start: number, end: number): Uint8Array {
  return new Uint8Array(frame.bytes.subarray(start, end));
}
