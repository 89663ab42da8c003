/**
 * Requests with Idempotency-Key: what is stored about one, and how a second request with the same key is answered.
 *
 * K1  A key identifies one request. The same key with another body is refused and never taken for the first (422).
 * K2  What is stored reveals nothing about key and body except whether they are the same.
 * K3  No key is dropped before it expires. When the edge keeps as many as it may, a request with a new key is refused
 *     as a whole (429), and one with a known key is still answered.
 *
 * What is stored is a note beside the frame, stored with it atomically (E11 of stream/fenced-subject.ts).
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Once } from '../../stream/record-batch.ts';
import type { BodyForm } from './split.ts';

export interface RequestKey {
  /** Equal for the same key at every pod of a source, and different at any other source. */
  readonly token: string;
  /** Hash of the records as they were sent, independent of how they were packed. */
  readonly body: string;
  readonly forSeconds: number;
}

/** Where the records of a request are: after `after`, up to `last`. */
export interface StoredAt {
  /** The prefix of its ids: the slot that received it. */
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

/** Where the first request of this key is; undefined: that request had another body (K1). */
export function storedBefore({ body }: RequestKey, note: string): StoredAt | undefined {
  const { body: first, ...at } = noteSchema.parse(JSON.parse(note));
  return first === body ? at : undefined;
}
