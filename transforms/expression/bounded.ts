/**
 * A bounded version of an expression for cel-js: the iterations of a macro are counted, and whatever is searched,
 * compared, added or passed to a function is charged for (`./budget.ts`). Functions whose time is not proportional to
 * their text are replaced by ours: `matches`, and `duration` of a text. cel-js has no limits of its own, and does not
 * allow its functions to be registered again.
 *
 * The position of a node excludes parentheses around it: `(a) + b` starts at `a`. Insertions come in pairs, so that
 * parentheses stay balanced: `(charged(a) + b)` means the same.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { isListMacro } from './guards.ts';
import { childrenOf } from './tree.ts';

interface Edit {
  readonly at: number;
  readonly removed: number;
  readonly text: string;
}

export function boundedSource(source: string, tree: ASTNode): string {
  // At the same position, insertions for a part go inside those for the whole: they are applied later.
  const edits = editsIn(tree, source).toSorted((a, b) => b.at - a.at);
  return edits.reduce((text, { at, removed, text: put }) => text.slice(0, at) + put + text.slice(at + removed), source);
}

function editsIn(node: ASTNode, source: string): readonly Edit[] {
  const own: Edit[] = [];
  if (node.op === 'rcall' && node.args[0] === 'matches') {
    // Between the receiver and the name there is a dot, and possibly parentheses and white space.
    const at = source.indexOf('matches', node.args[1].end);
    own.push({ at, removed: 'matches'.length, text: 'matchesLinear' });
  }
  if (node.op === 'call' && node.args[0] === 'duration')
    own.push(...node.args[1].slice(0, 1).flatMap(within('shortText')));
  own.push(...aroundCondition(node, source));
  own.push(
    ...paidBy(node)
      .filter(isSized)
      .flatMap(within(isListMacro(node) ? 'rounds' : 'charged')),
  );
  return [...own, ...childrenOf(node).flatMap((child) => editsIn(child, source))];
}

/** Between the variable of a macro and its condition: white space, comments, parentheses. */
const beforeComma = /(?:[\s)]|\/\/.*\n)*/y;

/**
 * The whole condition of `all` and `exists`, with its parentheses: only these continue after an iteration that
 * failed.
 */
function aroundCondition(node: ASTNode, source: string): readonly Edit[] {
  if (node.op !== 'rcall' || !isListMacro(node)) return [];
  const [name, , [variable]] = node.args;
  if (variable === undefined || (name !== 'all' && name !== 'exists')) return [];
  beforeComma.lastIndex = variable.end;
  beforeComma.test(source);
  return [
    { at: beforeComma.lastIndex, removed: 1, text: ', ended(' },
    { at: node.end - 1, removed: 0, text: ', begun())' },
  ];
}

function within(name: string): (node: ASTNode) => readonly Edit[] {
  return ({ start, end }) => [
    { at: start, removed: 0, text: `${name}(` },
    { at: end, removed: 0, text: ')' },
  ];
}

/** The parts of a node whose time grows with the size of their values. */
function paidBy(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case '==':
    case '!=':
    case '+':
    case 'in':
      return node.args;
    case 'call':
      return node.args[0] === 'has' ? [] : node.args[1];
    case 'rcall': {
      const [name, receiver, values] = node.args;
      if (isListMacro(node)) return [receiver];
      return name === 'bind' ? [] : [receiver, ...values];
    }
    default:
      return [];
  }
}

function isSized({ op }: ASTNode): boolean {
  return op !== 'value' && op !== 'list' && op !== 'map';
}
