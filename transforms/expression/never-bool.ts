/**
 * What can be no bool, whatever the record has.
 *
 * B1  Where a bool must stand (a condition; an operand of `&&`, `||` and `!`; before `?`), arithmetic, texts, lists and maps
 *     are refused before a record comes. The type checker of cel-js knows no field of a record, and takes `record.a + 1`
 *     for something that may be a bool.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { ExpressionProblem } from './problem.ts';
import { childrenOf } from './tree.ts';

const arithmetic: Readonly<Partial<Record<ASTNode['op'], string>>> = {
  '+': 'a sum',
  '-': 'a difference',
  '*': 'a product',
  '/': 'a quotient',
  '%': 'a remainder',
  '-_': 'a negative number',
  list: 'a list',
  map: 'a map',
};

/** `isCondition`: the whole must be a bool. */
export function boolProblem(tree: ASTNode, isCondition: boolean): ExpressionProblem | undefined {
  for (const node of [...(isCondition ? [tree] : []), ...boolsIn(tree)]) {
    const found = neverBool(node);
    if (found === undefined) continue;
    return { kind: 'type', message: `must be a bool, but is ${found.what}`, start: found.start, end: found.end };
  }
  return undefined;
}

/** The parts that must be bools. */
function boolsIn(node: ASTNode): readonly ASTNode[] {
  return [...mustBeBools(node), ...childrenOf(node).flatMap(boolsIn)];
}

function mustBeBools(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case '&&':
    case '||':
      return node.args;
    case '!_':
      return [node.args];
    case '?:':
      return [node.args[0]];
    default:
      return [];
  }
}

function neverBool(node: ASTNode): { what: string; start: number; end: number } | undefined {
  if (node.op === '?:') {
    const [, first, second] = node.args;
    const found = neverBool(first);
    // One of the two may be meant for records that do not come.
    return neverBool(second) === undefined ? undefined : found;
  }
  const what = node.op === 'value' ? literal(node.args) : arithmetic[node.op];
  return what === undefined ? undefined : { what, start: node.start, end: node.end };
}

function literal(value: unknown): string | undefined {
  switch (typeof value) {
    case 'boolean':
      return undefined;
    case 'string':
      return 'a text';
    case 'number':
    case 'bigint':
      return 'a number';
    default:
      return value === null ? 'null' : undefined;
  }
}
