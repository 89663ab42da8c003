/**
 * What no JSON text can carry to Kubernetes as it is, whatever the schema says of its place: it would arrive changed, or
 * not at all.
 */
import { maxDepth } from '../model/value.ts';
import { invalid, type Issue, type IssuePath } from './issue.ts';

/**
 * The first that is found, in a value as deep as that of a record may be: no spec is a tenth as deep. Not a recursion: a
 * value may be nested deeper than the stack, or in itself.
 */
export function unstorableIn(value: unknown): Issue | undefined {
  const depths = new Map<object, number>();
  const left: { readonly value: unknown; readonly path: IssuePath }[] = [{ value, path: [] }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value: member, path } = next;
    if (typeof member === 'string' && !member.isWellFormed()) return invalid(path, halfPair);
    if (typeof member !== 'object' || member === null) continue;
    // An object may be in several places, by an alias: its members have been looked at if it was as deep before.
    if ((depths.get(member) ?? -1) >= path.length) continue;
    if (path.length >= maxDepth) return invalid(path.slice(0, 3), `is nested deeper than ${maxDepth}`);
    depths.set(member, path.length);
    for (const [key, inner] of Object.entries(member)) {
      if (!key.isWellFormed()) return invalid(path, `the name of a field in it ${halfPair}`);
      left.push({ value: inner, path: [...path, Array.isArray(member) ? Number(key) : key] });
    }
  }
  return undefined;
}

const halfPair = 'has half of a surrogate pair, which is no character; write both halves, or neither';
