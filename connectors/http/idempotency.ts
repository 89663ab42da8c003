/**
 * Requests with Idempotency-Key: what is kept of one, and what a second with its key is answered.
 *
 * K1  A key is one request. The same key with another body is refused and never taken for the first (422).
 * K2  What is kept says nothing about key and body but whether they are the same.
 * K3  No key is forgotten before its time. When the edge keeps as many as it may, a request with a new one is refused
 *     (429), whole, and one with a key that is known is answered all the same.
 *
 * Kept is a note beside the frame, stored with it in one step (E11 of stream/fenced-subject.ts).
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Once } from '../../stream/record-batch.ts';
import type { BodyForm } from './split.ts';

export interface RequestKey {
  /** The same for the same key at every pod of a source, and of no other. */
  readonly token: string;
  /** Of the records as they were sent, whatever they were packed in. */
  readonly body: string;
  readonly forSeconds: number;
}

/** Where the records of a request are: behind `after`, up to `last`. */
export interface StoredAt {
  /** What its ids begin with: the slot that took it. */
  readonly ids: string;
  readonly after: number;
  readonly last: number;
}

const noteSchema = z.object({
  body: z.string(),
  ids: z.string(),
  after: z.number().int().nonnegative(),
  last: z.number().int().nonnegative(),
});

export const longestKey = 255;

export function tokenOf(pid: string, source: string, key: string): string {
  return createHash('sha256').update(`${pid}\n${source}\n${key}`).digest('base64url');
}

export function bodyDigest(body: Uint8Array, form: BodyForm): string {
  return createHash('sha256').update(`${form}\n`).update(body).digest('base64url');
}

export function onceOf({ token, body, forSeconds }: RequestKey, at: StoredAt): Once {
  return { key: token, forSeconds, note: JSON.stringify({ body, ...at }) };
}

/** Where the first request of this key is; undefined: it had another body (K1). */
export function storedBefore({ body }: RequestKey, note: string): StoredAt | undefined {
  const { body: first, ...at } = noteSchema.parse(JSON.parse(note));
  return first === body ? at : undefined;
}
