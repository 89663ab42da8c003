/**
 * `&&`, `||` and `?:`.
 *
 * L1  `&&` and `||` absorb errors on either side when the other side decides: `record.missing || true` is true.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { Closure } from './closure.ts';
import { celTypeOf } from './cel-type.ts';
import { EvaluationProblem } from './problem.ts';
import { notBoolChoice, notBoolOperand } from './sentences.ts';

type LogicNode = Extract<ASTNode, { op: '?:' | '&&' | '||' }>;

export function compileLogic(
  node: LogicNode,
  compileNode: (node: ASTNode) => Closure | undefined,
): Closure | undefined {
  if (node.op === '?:') {
    const [condition, yes, no] = node.args.map(compileNode);
    return condition && yes && no && choose(condition, yes, no);
  }
  const [left, right] = node.args.map(compileNode);
  return left && right && (node.op === '&&' ? decide(false, left, right) : decide(true, left, right));
}

function choose(condition: Closure, yes: Closure, no: Closure): Closure {
  return (r, m, n) => {
    const value = condition(r, m, n);
    if (value === true) return yes(r, m, n);
    if (value === false) return no(r, m, n);
    throw new EvaluationProblem(notBoolChoice(celTypeOf(value)), 'expression');
  };
}

/** `decisive` on either side is the result: false for `&&`, true for `||`. */
function decide(decisive: boolean, left: Closure, right: Closure): Closure {
  return (r, m, n) => {
    let first: unknown;
    try {
      first = left(r, m, n);
    } catch (error) {
      const second = right(r, m, n);
      if (second === decisive) return decisive;
      throw second === !decisive ? error : notBool(second);
    }
    if (first === decisive) return decisive;
    const second = right(r, m, n);
    if (second === decisive) return decisive;
    if (second !== !decisive) throw notBool(second);
    if (first !== !decisive) throw notBool(first);
    return second;
  };
}

function notBool(value: unknown): EvaluationProblem {
  return new EvaluationProblem(notBoolOperand(celTypeOf(value)), 'expression');
}
