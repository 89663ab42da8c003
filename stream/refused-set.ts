/**
 * Which records of a batch a sink will never accept, or no row can be made of, small enough for an entry of the commit
 * log.
 *
 * F1  Decoding yields exactly the encoded records, in order: dead letters and a repeated write depend on it.
 * F2  The size is bounded by the batch, not by the error texts: one bit per record, texts are cut, and when there are more
 *     reasons than fit, those of the remaining records keep their code and step and lose their texts.
 * Y4  Records are named, and not rows, because the frames of a batch stay the same: which of them become rows depends on
 *     the table, and that may be another one when the batch is finished.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { errorTable, MillraceError, mr, type ErrorCode } from '../model/errors.ts';
import { cut } from '../model/text.ts';
import type { RefusedRecord } from './sink-port.ts';

const problemSchema = z.object({
  code: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number()])),
});

export const refusedSetSchema = z.object({
  /** Bit i: record i is in the set. Deflated, base64. */
  records: z.string(),
  /** For each record of the set the index of its problem. Deflated, base64; absent when there is one problem. */
  which: z.string().optional(),
  problems: z.array(problemSchema),
});

export type RefusedSet = z.infer<typeof refusedSetSchema>;

/** With all their texts. */
const maxProblems = 200;
/** An index takes one byte; the last index is for all further reasons. */
const maxIndex = 255;
const maxTextLength = 400;
const untold = '(one of too many reasons in this batch to keep each)';
/** Limit of all problems as JSON, in bytes: a control character takes six. */
const maxProblemsLength = 192 * 1024;
/** Of what says which records. `max_payload` of NATS is 1 MiB by default, and an entry holds two sets of disjoint records. */
const maxMembersLength = 384 * 1024;

export function encodeRefused(sink: string, refused: readonly RefusedRecord[]): RefusedSet {
  if (refused.length === 0) return { records: '', problems: [] };
  const sorted = refused.toSorted((a, b) => a.record - b.record);
  const bits = new Uint8Array(Math.floor((sorted.at(-1)?.record ?? -1) / 8) + 1);
  const which = new Uint8Array(sorted.length);
  const indexOf = new Map<string, number>();
  const problems: RefusedSet['problems'] = [];
  let length = 0;
  const indexOfProblem = (error: MillraceError): number => {
    const isRoomy = problems.length < maxProblems && length < maxProblemsLength;
    const shortest = () => (problems.length < maxIndex ? withoutTexts(error) : manyProblems(sink));
    const problem = isRoomy ? described(error) : shortest();
    const key = JSON.stringify(problem);
    const known = indexOf.get(key);
    if (known !== undefined) return known;
    length += Buffer.byteLength(key);
    const index = problems.push(problem) - 1;
    indexOf.set(key, index);
    return index;
  };
  sorted.forEach(({ record, error }, at) => {
    bits[record >> 3]! |= 1 << (record & 7);
    which[at] = indexOfProblem(error);
  });
  const records = packed(bits);
  if (problems.length <= 1) return { records, problems };
  const text = packed(which);
  return records.length + text.length <= maxMembersLength
    ? { records, which: text, problems }
    : { records, problems: [manyProblems(sink)] };
}

export function decodeRefused({ records, which, problems }: RefusedSet): RefusedRecord[] {
  if (records === '') return [];
  const bits = unpacked(records);
  const indices = which === undefined ? undefined : unpacked(which);
  const errors = problems.map(errorOf);
  const refused: RefusedRecord[] = [];
  for (let record = 0; record < bits.length * 8; record++) {
    if ((bits[record >> 3]! & (1 << (record & 7))) === 0) continue;
    const error = errors[indices?.[refused.length] ?? 0];
    if (error === undefined) throw new RangeError(`record ${record} is refused without a reason`);
    refused.push({ record, error });
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

/** The code and the step; of everything else nothing is told. */
function withoutTexts({ code, params }: MillraceError): RefusedSet['problems'][number] {
  const kept = Object.entries(params).map(([name, value]): [string, string | number] => [
    name,
    name === 'step' || name === 'sink' ? value : untold,
  ]);
  return { code, params: Object.fromEntries(kept) };
}

function manyProblems(sink: string): RefusedSet['problems'][number] {
  return described(mr('MR_RECORD_REFUSED', { sink, problem: untold }));
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
