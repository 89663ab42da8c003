/**
 * Two readings of one file. Millrace reads YAML 1.2; kubectl and most other tools read 1.1, where `off` is false,
 * `0777` is 511 and `1:30` may be 90. Both parsers are run, and every value that they read differently is reported.
 *
 * V1  A message repeats no value: it may be a secret.
 */
import { isPair, isScalar, isSeq, parseDocument, visit, type Document, type Node, type Pair } from 'yaml';
import { mr } from '../model/errors.ts';
import { displayPath, type Issue, type IssuePath } from './issue.ts';

/** Longer plain scalars are neither numbers nor booleans in any version. */
const longest = 64;

export function ambiguitiesIn(document: Document.Parsed): readonly Issue[] {
  const found: Issue[] = [];
  visit(document, {
    Scalar(key, node, ancestors) {
      if (node.type !== 'PLAIN' || node.tag !== undefined || node.source === undefined) return;
      const other = node.source.length <= longest ? otherReading(node.source, node.value) : null;
      if (other === null) return;
      const problem = `is ${other} to readers of YAML 1.1 such as kubectl; put it in quotes`;
      const path = pathOf([...ancestors, node]);
      const error = mr('MR_SPEC_INVALID', { path: displayPath(path), problem });
      found.push({ severity: 'warning', path, error, ...(key === 'key' ? { isAboutKey: true } : {}) });
    },
  });
  return found;
}

/** From the document down: a pair gives its key, an item of a list its index. */
function pathOf(nodes: readonly (Document | Node | Pair)[]): IssuePath {
  return nodes.flatMap((node, i): IssuePath => {
    const parent = nodes[i - 1];
    if (isPair(node)) return [isScalar(node.key) ? String(node.key.value) : ''];
    return isSeq(parent) ? [parent.items.indexOf(node)] : [];
  });
}

/** The reading of YAML 1.1, in words; null when both are equal. */
function otherReading(source: string, value: unknown): string | null {
  const { contents, errors } = parseDocument(source, { version: '1.1', logLevel: 'error' });
  if (errors.length > 0 || !isScalar(contents)) return null;
  const other = contents.value;
  // As JSON, a date is text in both.
  if (other instanceof Date || Object.is(other, value) || other === value) return null;
  // The library reads `.` and `+.` as numbers; YAML 1.1 does not define that, and to kubectl they are text.
  if (Number.isNaN(other)) return null;
  if (typeof other === 'boolean') return 'true or false';
  if (typeof other === 'number') return typeof value === 'number' ? 'another number' : 'a number';
  return typeof other === 'string' ? 'text' : null;
}
