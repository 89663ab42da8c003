/**
 * The only entry point to expressions.
 *
 * Behind it is CEL, compiled to closures where that is possible (`./compile.ts`) and walked by cel-js where not.
 * Another implementation of CEL has to pass test/transforms/expression.
 */
import { mr } from '../../model/errors.ts';
import { cut } from '../../model/text.ts';
import type { RecordMeta, RecordObject, RecordValue } from '../../model/value.ts';
import { boundedSource } from './bounded.ts';
import { assertWithinBudget, refill } from './budget.ts';
import { celTypeOf } from './cel-type.ts';
import { checkExpression, parseTree } from './check.ts';
import type { Closure } from './closure.ts';
import { compileNode } from './compile.ts';
import { computable } from './delegate.ts';
import { countingEnvironment, recordEnvironment } from './environment.ts';
import { adviceOn, EvaluationProblem, summaryOf } from './problem.ts';
import { toRecordValue } from './result.ts';
import { metaValue } from './variables.ts';

export type Expression = (record: RecordObject, meta: RecordMeta, nowMs: number) => RecordValue;
export type Condition = (record: RecordObject, meta: RecordMeta, nowMs: number) => boolean;

/**
 * Compiles an expression. `where` is its place in the spec and `step` the step's name, both for messages. Throws
 * MillraceError MR_SPEC_EXPRESSION; the expression throws MR_RECORD_EXPRESSION.
 */
export function compileExpression(source: string, where: string, step: string): Expression {
  const closure = compileSource(source, where, false);
  return (record, meta, nowMs) => {
    refill();
    try {
      return toRecordValue(closure(record, meta, nowMs));
    } catch (error) {
      throw recordProblem(error, source, step);
    }
  };
}

/** Compiles an expression that must give a bool. */
export function compileCondition(source: string, where: string, step: string): Condition {
  const closure = compileSource(source, where, true);
  return (record, meta, nowMs) => {
    try {
      const result = closure(record, meta, nowMs);
      if (typeof result === 'boolean') return result;
      throw new EvaluationProblem(`must be a bool, but is ${celTypeOf(result)}`, 'expression');
    } catch (error) {
      throw recordProblem(error, source, step);
    }
  };
}

/** cel-js walking its own tree: for what the closures do not cover, and as the reference in tests. */
export function interpret(source: string): Closure {
  const program = countingEnvironment.parse(boundedSource(source, recordEnvironment.parse(source).ast));
  return (record, meta, nowMs) => {
    refill();
    try {
      return program({ record: computable(record), meta: metaValue(meta), now: new Date(nowMs) }) as unknown;
    } finally {
      assertWithinBudget();
    }
  };
}

function compileSource(source: string, where: string, isCondition: boolean): Closure {
  const [problem] = checkExpression(source, { fields: null, isCondition });
  if (problem !== undefined) {
    const hint = problem.suggestion === undefined ? 'Correct the expression.' : `Did you mean "${problem.suggestion}"?`;
    throw mr('MR_SPEC_EXPRESSION', { path: where, problem: problem.message, hint });
  }
  const tree = parseTree(source);
  if (!('op' in tree)) return interpret(source);
  return compileNode(tree) ?? interpret(source);
}

const shownLength = 120;
const shownProblem = 300;

function recordProblem(error: unknown, source: string, step: string): Error {
  // cel-js repeats a text that it cannot convert, however long it is.
  const problem = cut(summaryOf(error), shownProblem);
  return mr(
    'MR_RECORD_EXPRESSION',
    { step, problem: `${problem} in \`${cut(source, shownLength)}\``, hint: adviceOn(error) },
    { cause: error },
  );
}
