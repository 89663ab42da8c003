/**
 * Under which key a request is one with those before it. Where callers are told apart, each has its own keys: else the second of two
 * would be answered with what the first had asked for, and be written down as its doing.
 */
import type { Caller } from '../../model/caller.ts';
import { digestOf } from './identity/identity.ts';

/** `caller` null: they are not told apart. */
export function ownKey(caller: Caller | null, key: string): string {
  return caller === null ? key : digestOf(JSON.stringify([caller.name, key]));
}
