/**
 * An expression for cel-js in which the functions whose time is not in proportion to their text are replaced by ours:
 * `matches`, and the text of `duration`. cel-js does not let its own be registered anew.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { childrenOf } from './tree.ts';

interface Edit {
  readonly at: number;
  readonly removed: number;
  readonly text: string;
}

export function boundedSource(source: string, tree: ASTNode): string {
  const edits = editsIn(tree, source).toSorted((a, b) => b.at - a.at);
  return edits.reduce((text, { at, removed, text: put }) => text.slice(0, at) + put + text.slice(at + removed), source);
}

function editsIn(node: ASTNode, source: string): readonly Edit[] {
  const own: Edit[] = [];
  if (node.op === 'rcall' && node.args[0] === 'matches') {
    // Between the receiver and the name stand a point, and maybe brackets and space.
    const at = source.indexOf('matches', node.args[1].end);
    own.push({ at, removed: 'matches'.length, text: 'matchesLinear' });
  }
  if (node.op === 'call' && node.args[0] === 'duration') {
    const [text] = node.args[1];
    if (text !== undefined) {
      own.push({ at: text.start, removed: 0, text: 'shortText(' }, { at: text.end, removed: 0, text: ')' });
    }
  }
  return [...own, ...childrenOf(node).flatMap((child) => editsIn(child, source))];
}
