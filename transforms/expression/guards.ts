/**
 * Bounds that keep one record from stopping a pipeline.
 *
 * G1  Macros over lists nest at most two deep. How often they go round is bounded while they do (`./budget.ts`, G3).
 * G2  A pattern for `matches` is a constant that can be matched in linear time (`./pattern.ts`): without look-around and
 *     back-references.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { compilePattern, PatternProblem } from './pattern.ts';
import type { ExpressionProblem } from './problem.ts';
import { childrenOf } from './tree.ts';

const listMacros = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);
const maxMacroDepth = 2;

/** The first bound that the tree breaks, or undefined. */
export function boundProblem(node: ASTNode, depth = 0): ExpressionProblem | undefined {
  let inner = depth;
  if (node.op === 'rcall') {
    const [name, , values] = node.args;
    if (isListMacro(node)) inner += 1;
    if (inner > maxMacroDepth) return bound(node, `macros over lists may nest at most ${maxMacroDepth} deep`);
    if (name === 'matches') {
      const problem = patternProblem(values[0]);
      if (problem !== undefined) return bound(values[0] ?? node, problem);
    }
  }
  for (const child of childrenOf(node)) {
    const problem = boundProblem(child, inner);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

export function isListMacro(node: ASTNode): boolean {
  return node.op === 'rcall' && listMacros.has(node.args[0]) && node.args[2].length >= 2;
}

function bound(node: ASTNode, message: string): ExpressionProblem {
  return { kind: 'bound', message, start: node.start, end: node.end };
}

function patternProblem(node: ASTNode | undefined): string | undefined {
  if (node?.op !== 'value' || typeof node.args !== 'string') return 'the pattern of matches() must be a constant';
  const pattern = node.args;
  if (/\(\?[=!<]|\\[1-9]|\\k</.test(pattern)) {
    return 'the pattern of matches() must not use look-around, named groups or back-references';
  }
  try {
    compilePattern(pattern);
  } catch (error) {
    if (!(error instanceof PatternProblem)) throw error;
    return `the pattern of matches() cannot be used: ${error.message}`;
  }
  return undefined;
}
