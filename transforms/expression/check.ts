/** Says what is wrong with an expression before any record comes. Pure. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { closest } from '../../model/closest.ts';
import { environmentFor, maxSourceLength, recordEnvironment } from './environment.ts';
import type { KnownFields } from './fields.ts';
import { boundProblem } from './guards.ts';
import { isCelError, summaryOf, type ExpressionProblem } from './problem.ts';
import { childrenOf } from './tree.ts';
import { metaFields } from './variables.ts';

export interface CheckOptions {
  readonly fields: KnownFields;
  readonly isCondition: boolean;
}

/** The problems of an expression; empty when it may run. */
export function checkExpression(source: string, options: CheckOptions): readonly ExpressionProblem[] {
  if (source.length > maxSourceLength) {
    return [{ kind: 'bound', message: `an expression has at most ${maxSourceLength} characters`, start: 0, end: 0 }];
  }
  const tree = parseTree(source);
  if ('message' in tree) return [tree];
  const bound = boundProblem(tree) ?? metaProblem(tree);
  if (bound !== undefined) return [bound];
  const result = checkTypes(source, options, recordEnvironment);
  if (result.length > 0 || options.fields === null) return result;
  return checkTypes(source, options, environmentFor(options.fields));
}

export function parseTree(source: string): ASTNode | ExpressionProblem {
  try {
    return recordEnvironment.parse(source).ast;
  } catch (error) {
    return problemFrom(error, source, 'syntax', null);
  }
}

function checkTypes(
  source: string,
  { fields, isCondition }: CheckOptions,
  environment: typeof recordEnvironment,
): readonly ExpressionProblem[] {
  const result = environment.check(source);
  if (!result.valid) return [problemFrom(result.error, source, 'type', fields)];
  if (isCondition && result.type !== 'bool' && !isDynamic(result.type)) {
    return [{ kind: 'type', message: `must be a bool, but is ${String(result.type)}`, start: 0, end: source.length }];
  }
  return [];
}

function isDynamic(type: string | undefined): boolean {
  return type === undefined || type.startsWith('dyn');
}

function problemFrom(
  error: unknown,
  source: string,
  fallback: 'syntax' | 'type',
  fields: KnownFields,
): ExpressionProblem {
  const range = isCelError(error) ? error.range : undefined;
  const place = { start: range?.start ?? 0, end: range?.end ?? source.length };
  const message = summaryOf(error);
  const code = isCelError(error) ? error.code : '';
  if (code === 'unknown_variable') {
    const name = message.replace('Unknown variable: ', '');
    return unknownName(`unknown name "${name}"`, name, ['record', 'meta', 'now'], place);
  }
  if (code === 'no_such_key' && fields !== null) {
    const field = message.replace('No such key: ', '');
    const known = [...fields.keys()];
    return { ...unknownName(`the schema has no field "${field}"`, field, known, place), kind: 'unknownField' };
  }
  if (code === 'no_matching_overload') return overloadProblem(message, place);
  return { kind: fallback, message, ...place };
}

function overloadProblem(message: string, place: { start: number; end: number }): ExpressionProblem {
  const [, name = ''] = /(?:'|\.)([A-Za-z_]\w*)\(/.exec(message) ?? [];
  const known = [...new Set(recordEnvironment.getDefinitions().functions.map((declared) => declared.name))];
  if (known.includes(name)) return { kind: 'type', message, ...place };
  return unknownName(`unknown function "${name}"`, name, known, place);
}

function unknownName(
  message: string,
  name: string,
  known: readonly string[],
  place: { start: number; end: number },
): ExpressionProblem {
  const suggestion = closest(name, known);
  return { kind: 'unknownName', message, ...place, ...(suggestion === undefined ? {} : { suggestion }) };
}

function metaProblem(node: ASTNode): ExpressionProblem | undefined {
  if (node.op === '.') {
    const [target, name] = node.args;
    if (target.op === 'id' && target.args === 'meta' && !metaFields.has(name)) {
      return unknownName(`meta has no field "${name}"`, name, [...metaFields.keys()], node);
    }
  }
  for (const child of childrenOf(node)) {
    const problem = metaProblem(child);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
