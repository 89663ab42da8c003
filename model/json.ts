/** Plain JSON, and its canonical form. */
import { createHash } from 'node:crypto';
import type { Json } from './value.ts';

/** A copy that is only JSON: members that are undefined are left out. Throws TypeError on what JSON cannot hold. */
export function toJson(value: unknown): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value)) return value;
      break;
    case 'object':
      if (value === null) return null;
      if (Array.isArray(value)) return value.map(toJson);
      return Object.fromEntries(
        Object.entries(value).flatMap(([key, member]) =>
          member === undefined ? [] : [[key, toJson(member)] as const],
        ),
      );
    default:
  }
  throw new TypeError(`not JSON: ${typeof value}`);
}

/** `JSON.parse`, which gives JSON and nothing else. */
export function parseJson(text: string): Json {
  return JSON.parse(text) as Json;
}

/** The one text of a value: keys in the order of their code units, no space. */
export function canonicalJson(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** sha256 of the canonical form, in hex: equal for equal values however they were written. */
export function hashOf(value: unknown): string {
  return createHash('sha256')
    .update(canonicalJson(toJson(value)))
    .digest('hex');
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
