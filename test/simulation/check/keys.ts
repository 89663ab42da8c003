/**
 * I9  An edge keeps one key for each KiB that it may hold, and a few more: slots count for themselves (Q1 of
 *     stream/key-share.ts).
 */
import { onceToken } from '../../../model/names.ts';
import type { Stream } from '../jetstream/stream.ts';
import type { Fixed } from '../plant/shape.ts';

export function keysIn({ messages }: Stream): number {
  return messages.filter(({ subject }) => subject.split('.')[2] === onceToken).length;
}

export function mostKeys({ edgeBytes }: Fixed): number {
  return Math.floor(edgeBytes / 1_024);
}
