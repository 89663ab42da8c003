/**
 * The end of a batch's token: its range, the checksum of the checksums of its frames, and that of the last one. So the same range
 * with other frames has another token, and a token tells which frames a sink has, and, when they have been swept, whether the edge
 * still ends them as it did. The same frames as other rows have another one, too: a number follows (V2 of `./sink-write.ts`).
 *
 * The token of a position that was set, and is of no batch, ends with the checksum of what it rests on: the last frame of each writer.
 */
import { crc32 } from 'node:zlib';
import type { Heads } from './frame-chain.ts';

export interface NamedRange {
  readonly from: number;
  readonly to: number;
  readonly check: number;
}

const word = Buffer.alloc(4);

/** {@link NamedRange.check}, one frame further. */
export function checkWith(check: number, frameCheck: number): number {
  word.writeUInt32LE(frameCheck);
  return crc32(word, check);
}

/** `lastCheck`: of its last frame. */
export function rangeText({ from, to, check }: NamedRange, lastCheck: number): string {
  return `${from}-${to}:${check.toString(36)}:${lastCheck.toString(36)}`;
}

const ofBatch = /:([0-9]+)-([0-9]+):([0-9a-z]+)(?::([0-9a-z]+))?$/;

/** Undefined: the token ends otherwise, like those of v0.1, of a repetition, and those that only set a position. */
export function rangeIn(token: string): NamedRange | undefined {
  const [, from, to, check] = ofBatch.exec(token) ?? [];
  if (check === undefined) return undefined;
  return { from: Number(from), to: Number(to), check: Number.parseInt(check, 36) };
}

/** The checksum of the batch's last frame. Undefined: as {@link rangeIn}, and in tokens of before it was named. */
export function lastIn(token: string): number | undefined {
  const last = ofBatch.exec(token)?.[4];
  return last === undefined ? undefined : Number.parseInt(last, 36);
}

/** The end of the token of a position that was set. */
export function headsText(heads: Heads): string {
  const known = Object.entries(heads).filter(([, [sequence]]) => sequence > 0);
  return `@${crc32(JSON.stringify(known.sort(([a], [b]) => (a < b ? -1 : 1)))).toString(36)}`;
}

/** {@link headsText} at the end of the token; undefined: it has none. */
export function headsIn(token: string): string | undefined {
  return /@[0-9a-z]+$/.exec(token)?.[0];
}

/** The same in another epoch (Y3 of `./sink-slot.ts`): `prefix` is the pipeline's uid and the epoch. */
export function ofEpoch(token: string, prefix: string): string {
  return [prefix, ...token.split(':').slice(prefix.split(':').length)].join(':');
}

/** Of the same frames as other rows. */
export function nextToken(token: string): string {
  const [suffix = '', before] = /\.([0-9]+)$/.exec(token) ?? [];
  return `${token.slice(0, token.length - suffix.length)}.${before === undefined ? 2 : Number(before) + 1}`;
}
