/** The bytes of a record, and back. */
import type { Input } from '../check/reference.ts';

export function textOf({ id, kind, isBroken, refusedBy }: Input): string {
  if (isBroken) return `<${id}>`;
  return JSON.stringify({ id, kind, ...(refusedBy === '' ? {} : { refusedBy }) });
}

export function idOf(text: string): string {
  return /^<([^>]*)>$/.exec(text)?.[1] ?? /"id":"([^"]*)"/.exec(text)?.[1] ?? `?${text}`;
}
