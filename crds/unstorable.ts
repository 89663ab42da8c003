/**
 * Finds values that JSON cannot carry to Kubernetes unchanged, whatever the schema says: they would arrive changed, or
 * not at all.
 */
import { maxDepth } from '../model/value.ts';
import { invalid, type Issue, type IssuePath } from './issue.ts';

/**
 * The first one, nested no deeper than the value of a record may be; undefined: there is none. No spec is a tenth as
 * deep. No recursion: a value may be nested deeper than the stack, or in itself.
 */
export function unstorableIn(value: unknown): Issue | undefined {
  const depths = new Map<object, number>();
  const left: { readonly value: unknown; readonly path: IssuePath }[] = [{ value, path: [] }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value: member, path } = next;
    if (typeof member === 'string' && !member.isWellFormed()) return invalid(path, halfPair);
    if (typeof member !== 'object' || member === null) continue;
    // By an alias an object may occur several times: skip it if it was visited at this depth or deeper.
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
