/** Which fields of the record an expression can read: the evaluator need not decode the others. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { parseTree } from './check.ts';
import { childrenOf } from './tree.ts';

/** Null: all of them, or it is not known which. */
export function usedFields(source: string): ReadonlySet<string> | null {
  const tree = parseTree(source);
  const fields = new Set<string>();
  return 'op' in tree && collect(tree, fields) ? fields : null;
}

/** False when the record is used as a whole. */
function collect(node: ASTNode, into: Set<string>): boolean {
  if (node.op === 'id') return node.args !== 'record';
  if (node.op === '.') {
    const [target, name] = node.args;
    if (target.op === 'id' && target.args === 'record') {
      into.add(name);
      return true;
    }
  }
  return childrenOf(node).every((child) => collect(child, into));
}
