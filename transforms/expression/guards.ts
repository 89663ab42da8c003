/**
 * Bounds that keep one record from stopping a pipeline.
 *
 * G1  Macros over lists nest at most two deep, and two deep only on records whose lists have at most 1,000 elements: the
 *     work of one record is then at most a million rounds.
 * G2  A pattern for `matches` is a constant, without look-around and back-references, and no repetition is repeated, so
 *     a match takes time in proportion to the text.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { problemOf } from '../../model/errors.ts';
import { EvaluationProblem, type ExpressionProblem } from './problem.ts';
import { childrenOf } from './tree.ts';

const listMacros = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);
const maxMacroDepth = 2;

/** The first bound that the tree breaks, or undefined. */
export function boundProblem(node: ASTNode, depth = 0): ExpressionProblem | undefined {
  let inner = depth;
  if (node.op === 'rcall') {
    const [name, , values] = node.args;
    if (listMacros.has(name) && values.length >= 2) inner += 1;
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

/** How deep macros over lists nest in the tree. */
export function macroDepth(node: ASTNode): number {
  const isMacro = node.op === 'rcall' && listMacros.has(node.args[0]) && node.args[2].length >= 2;
  return (isMacro ? 1 : 0) + Math.max(0, ...childrenOf(node).map(macroDepth));
}

const maxNestedElements = 1_000;

/** Throws for a record that is too large for nested macros. */
export function assertSmallLists(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const members: unknown[] = Array.isArray(value) ? value : Object.values(value);
  if (members.length > maxNestedElements) {
    throw new EvaluationProblem(
      `nested macros take lists of at most ${maxNestedElements} elements, not ${members.length}`,
    );
  }
  members.forEach(assertSmallLists);
}

function bound(node: ASTNode, message: string): ExpressionProblem {
  return { kind: 'bound', message, start: node.start, end: node.end };
}

function patternProblem(node: ASTNode | undefined): string | undefined {
  if (node?.op !== 'value' || typeof node.args !== 'string') return 'the pattern of matches() must be a constant';
  const pattern = node.args;
  try {
    new RegExp(pattern);
  } catch (error) {
    return problemOf(error);
  }
  if (/\(\?[=!<]|\\[1-9]|\\k</.test(pattern)) {
    return 'the pattern of matches() must not use look-around, named groups or back-references';
  }
  return repetitionProblem(pattern);
}

/**
 * Refuses a repeated group that can itself repeat or choose (`(a+)+`, `(a|ab)*`), and more than two repetitions without
 * an upper bound, which take time in the square of the text and more.
 */
function repetitionProblem(pattern: string): string | undefined {
  const groups: { repeats: boolean }[] = [{ repeats: false }];
  let unbounded = 0;
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i];
    if (character === '\\') i++;
    else if (character === '[') i = endOfClass(pattern, i);
    else if (character === '(') groups.push({ repeats: false });
    else if (character === '|') groups[groups.length - 1]!.repeats = true;
    if (character === '(' || character === '|' || character === '^' || character === '$') continue;
    const closed = character === ')' ? groups.pop() : undefined;
    const quantifier = /^(?:[*+]|\{[0-9]+(?:,[0-9]*)?\})/.exec(pattern.slice(i + 1))?.[0];
    const outer = groups[groups.length - 1];
    if (quantifier !== undefined) {
      if (closed?.repeats === true) return 'the pattern of matches() must not repeat a group that repeats or chooses';
      if (/^[*+]|,\}$/.test(quantifier) && ++unbounded > 2) {
        return 'the pattern of matches() must not have more than two repetitions without an upper bound';
      }
      i += quantifier.length;
    }
    if (outer !== undefined && (quantifier !== undefined || closed?.repeats === true)) outer.repeats = true;
  }
  return undefined;
}

function endOfClass(pattern: string, from: number): number {
  let i = from + 1;
  while (i < pattern.length && pattern[i] !== ']') i += pattern[i] === '\\' ? 2 : 1;
  return i;
}
