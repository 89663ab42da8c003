/**
 * Which rows of a batch a sink will never accept, or which of its records no row can be made of, small enough for an
 * entry of the commit log.
 *
 * F1  Decoding yields exactly the encoded rows, in order: dead letters and a repeated write depend on it.
 * F2  The size is bounded by the batch, not by the error texts: one bit per row, texts are cut, and when there are more
 *     reasons than fit, the remaining rows share a common one.
 * Y4  What is kept in the log counts records, because the frames of a batch stay the same: which of them become rows
 *     depends on the table, and that may be another one when the batch is finished.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { errorTable, MillraceError, mr, type ErrorCode } from '../model/errors.ts';
import { cut } from '../model/text.ts';
import type { RefusedRow } from './sink-port.ts';

const problemSchema = z.object({
  code: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number()])),
});

export const refusedSetSchema = z.object({
  /** Y4. Absent in entries of v0.1, whose numbers are those of rows. */
  of: z.literal('records').optional(),
  /** Bit i: row i is refused. Deflated, base64. */
  rows: z.string(),
  /** For each refused row the index of its problem. Deflated, base64; absent when there is one problem. */
  which: z.string().optional(),
  problems: z.array(problemSchema),
});

export type RefusedSet = z.infer<typeof refusedSetSchema>;

/** An index takes one byte; the last index is for all further reasons. */
const maxProblems = 200;
const maxTextLength = 400;
/** Limit of all problems as JSON, where a control character takes six bytes. */
const maxProblemsLength = 192 * 1024;
/** `max_payload` of NATS is 1 MiB by default; an entry holds little else. */
const maxWhichLength = 384 * 1024;

export function encodeRefused(sink: string, refused: readonly RefusedRow[]): RefusedSet {
  const sorted = refused.toSorted((a, b) => a.row - b.row);
  const bits = new Uint8Array(Math.floor((sorted.at(-1)?.row ?? -1) / 8) + 1);
  const which = new Uint8Array(sorted.length);
  const indexOf = new Map<string, number>();
  const problems: RefusedSet['problems'] = [];
  let length = 0;
  sorted.forEach(({ row, error }, at) => {
    bits[row >> 3]! |= 1 << (row & 7);
    const problem = problems.length < maxProblems && length < maxProblemsLength ? described(error) : manyProblems(sink);
    const key = JSON.stringify(problem);
    let index = indexOf.get(key);
    if (index === undefined) {
      index = problems.push(problem) - 1;
      length += key.length;
      indexOf.set(key, index);
    }
    which[at] = index;
  });
  const rows = packed(bits);
  if (problems.length <= 1) return { rows, problems };
  const text = packed(which);
  return rows.length + text.length <= maxWhichLength
    ? { rows, which: text, problems }
    : { rows, problems: [manyProblems(sink)] };
}

/** Y4. `row` is the number of a record. */
export function encodeRecords(sink: string, records: readonly RefusedRow[]): RefusedSet {
  return { of: 'records', ...encodeRefused(sink, records) };
}

export function decodeRefused({ rows, which, problems }: RefusedSet): RefusedRow[] {
  const bits = unpacked(rows);
  const indices = which === undefined ? undefined : unpacked(which);
  const errors = problems.map(errorOf);
  const refused: RefusedRow[] = [];
  for (let row = 0; row < bits.length * 8; row++) {
    if ((bits[row >> 3]! & (1 << (row & 7))) === 0) continue;
    const error = errors[indices?.[refused.length] ?? 0];
    if (error === undefined) throw new RangeError(`row ${row} is refused without a reason`);
    refused.push({ row, error });
  }
  return refused;
}

function described({ code, params }: MillraceError): RefusedSet['problems'][number] {
  const short = Object.entries(params).map(([name, value]): [string, string | number] => [
    name,
    typeof value === 'string' ? cut(value, maxTextLength) : value,
  ]);
  return { code, params: Object.fromEntries(short) };
}

function manyProblems(sink: string): RefusedSet['problems'][number] {
  return described(mr('MR_RECORD_REFUSED', { sink, problem: 'one of too many reasons in this batch to keep each' }));
}

function errorOf({ code, params }: RefusedSet['problems'][number]): MillraceError {
  if (isErrorCode(code)) return new MillraceError(code, params);
  return mr('MR_RECORD_REFUSED', { sink: '', problem: code });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

function packed(bytes: Uint8Array): string {
  return deflateRawSync(bytes).toString('base64');
}

function unpacked(text: string): Uint8Array {
  return inflateRawSync(Buffer.from(text, 'base64'));
}
