/**
 * Shrinks a dead letter to what a frame can hold. A record that just fits the edge does not fit the dead edge, because
 * there its reason is stored with it.
 *
 * D4  Every letter fits. A letter that was cut says so: bytes of the whole value and key, number of headers.
 */
import type { DeadLetter } from './dead-letter.ts';
import { headersOfDeadLetter } from './dead-letter.ts';
import type { Header } from './record-batch.ts';

/** How much of a key, and of the headers, a cut letter keeps: enough for a person to recognise the record. */
const keptKeyBytes = 16 * 1024;
const keptHeaderBytes = 16 * 1024;
/** Room for the description of the cut. */
const noticeBytes = 128;

/** `limit`: value, key and headers together, counted as a frame counts them. */
export function fitted(letter: DeadLetter, limit: number): DeadLetter {
  if (bytesOf(letter) <= limit) return letter;
  const key = cut(letter.key, keptKeyBytes);
  const headers = firstHeaders(letter.headers);
  const bare = { ...letter, value: null, key, headers };
  const value = cut(letter.value, Math.max(0, limit - noticeBytes - bytesOf(bare)));
  return {
    ...bare,
    value,
    ...(sizeOf(value) < sizeOf(letter.value) ? { truncatedFrom: letter.truncatedFrom ?? sizeOf(letter.value) } : {}),
    ...(sizeOf(key) < sizeOf(letter.key) ? { keyTruncatedFrom: letter.keyTruncatedFrom ?? sizeOf(letter.key) } : {}),
    ...(headers.length < letter.headers.length
      ? { headersTruncatedFrom: letter.headersTruncatedFrom ?? letter.headers.length }
      : {}),
  };
}

/** The first headers, as many as fit. */
export function firstHeaders(headers: readonly Header[], maxBytes = keptHeaderBytes): readonly Header[] {
  let bytes = 0;
  const end = headers.findIndex((header) => (bytes += Buffer.byteLength(JSON.stringify(header)) + 1) > maxBytes);
  return end < 0 ? headers : headers.slice(0, end);
}

/** A copy: a view would keep the whole record in memory. */
function cut(bytes: Uint8Array | null, maxBytes: number): Uint8Array | null {
  return bytes === null || bytes.length <= maxBytes ? bytes : Uint8Array.from(bytes.subarray(0, maxBytes));
}

function bytesOf(letter: DeadLetter): number {
  return sizeOf(letter.value) + sizeOf(letter.key) + Buffer.byteLength(JSON.stringify(headersOfDeadLetter(letter)));
}

function sizeOf(bytes: Uint8Array | null): number {
  return bytes?.length ?? 0;
}
