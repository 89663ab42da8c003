/**
 * Finds what a YAML document contains and a JSON object cannot hold. The parser accepts it and would change it: of two
 * keys that are equal as text, the first would be lost.
 */
import { isMap, isPair, isScalar, isSeq, type Document, type YAMLError } from 'yaml';
import { maxDepth } from '../model/value.ts';

export interface DocumentFault {
  /** A code of the table of sentences (`./yaml-places.ts`). */
  readonly code: YAMLError['code'];
  /** Index into the text. */
  readonly at: number;
}

/** Undefined: there is none. No recursion: a document may be nested deeper than the stack. */
export function faultIn(document: Document.Parsed): DocumentFault | undefined {
  const left: { readonly node: unknown; readonly depth: number }[] = [{ node: document.contents, depth: 0 }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { node, depth } = next;
    if (!isMap(node) && !isSeq(node)) continue;
    if (depth >= maxDepth) return { code: 'RESOURCE_EXHAUSTION', at: startOf(node) };
    const seen = new Set<string>();
    for (const item of node.items) {
      if (!isPair(item)) {
        left.push({ node: item, depth: depth + 1 });
        continue;
      }
      const key = keyText(item.key);
      if (key === undefined) return { code: 'NON_STRING_KEY', at: startOf(item.key) };
      if (seen.has(key)) return { code: 'DUPLICATE_KEY', at: startOf(item.key) };
      seen.add(key);
      left.push({ node: item.value, depth: depth + 1 });
    }
  }
  return undefined;
}

/**
 * The key as it will be in the object; undefined for a list, an object or an alias, which have no text of their own.
 */
function keyText(key: unknown): string | undefined {
  if (key === null) return '';
  if (!isScalar(key)) return undefined;
  switch (typeof key.value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(key.value);
    default:
      return key.value === null ? '' : undefined;
  }
}

function startOf(node: unknown): number {
  const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
  const at: unknown = Array.isArray(range) ? range[0] : undefined;
  return typeof at === 'number' ? at : 0;
}
