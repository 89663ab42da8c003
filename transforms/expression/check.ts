/** Reports what is wrong with an expression before any record arrives. Pure. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { closest } from '../../model/closest.ts';
import { environmentFor, maxSourceLength, recordEnvironment } from './environment.ts';
import type { KnownFields } from './fields.ts';
import { boundProblem } from './guards.ts';
import { boolProblem } from './never-bool.ts';
import { isCelError, summaryOf, type ExpressionProblem } from './problem.ts';
import { childrenOf } from './tree.ts';
import { metaFields } from './variables.ts';

export interface CheckOptions {
  readonly fields: KnownFields;
  /** Why no record can have this field: `step "shape" has removed it`. Undefined: a record may have it. */
  readonly absent?: ((field: string) => AbsentField | undefined) | undefined;
  readonly isCondition: boolean;
}

export interface AbsentField {
  readonly why: string;
  readonly suggestion?: string | undefined;
}

/** The problems of an expression; empty when it may run. */
export function checkExpression(source: string, options: CheckOptions): readonly ExpressionProblem[] {
  if (source.length > maxSourceLength) {
    return [{ kind: 'bound', message: `an expression has at most ${maxSourceLength} characters`, start: 0, end: 0 }];
  }
  const tree = parseTree(source);
  if ('message' in tree) return [tree];
  const bound = boundProblem(tree) ?? metaProblem(tree) ?? absentProblem(tree, options);
  if (bound !== undefined) return [bound];
  const result = checkTypes(source, options, recordEnvironment);
  const noBool = result.length > 0 ? undefined : boolProblem(tree, options.isCondition);
  if (noBool !== undefined) return [noBool];
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
  const said = isCelError(error) ? error.summary : '';
  if (code === 'unknown_variable') {
    const name = said.replace('Unknown variable: ', '');
    return unknownName(message, name, ['record', 'meta', 'now'], place);
  }
  if (code === 'no_such_key' && fields !== null) {
    const field = said.replace('No such key: ', '');
    const known = [...fields.keys()];
    return { ...unknownName(`the schema has no field "${field}"`, field, known, place), kind: 'unknownField' };
  }
  if (code === 'no_matching_overload') return overloadProblem(said, message, place);
  return { kind: fallback, message, ...place };
}

function overloadProblem(said: string, message: string, place: { start: number; end: number }): ExpressionProblem {
  const [, name = ''] = /(?:'|\.)([A-Za-z_]\w*)\(/.exec(said) ?? [];
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

/** `record.a`, `record["a"]`: the field; undefined: the node is neither. */
function fieldOf(node: ASTNode, variable: 'record' | 'meta'): string | undefined {
  if (node.op !== '.' && node.op !== '[]') return undefined;
  const [target, key] = node.args;
  if (target.op !== 'id' || target.args !== variable) return undefined;
  if (typeof key === 'string') return key;
  return key.op === 'value' && typeof key.args === 'string' ? key.args : undefined;
}

/** A field that no record has fails on every record, unless the expression itself tests for its presence. */
function absentProblem(tree: ASTNode, { absent }: CheckOptions): ExpressionProblem | undefined {
  if (absent === undefined) return undefined;
  const asked = new Set(askedIn(tree));
  const visit = (node: ASTNode): ExpressionProblem | undefined => {
    const field = fieldOf(node, 'record');
    const found = field === undefined || asked.has(field) ? undefined : absent(field);
    if (field !== undefined && found !== undefined) {
      const { why, suggestion } = found;
      const message = `no record has a field "${field}": ${why}`;
      const place = { start: node.start, end: node.end };
      return { kind: 'unknownName', message, ...place, ...(suggestion === undefined ? {} : { suggestion }) };
    }
    return firstOf(childrenOf(node), visit);
  };
  return visit(tree);
}

/** Fields that `has()` tests for. */
function askedIn(node: ASTNode): readonly string[] {
  const inner = childrenOf(node).flatMap(askedIn);
  const [argument] = node.op === 'call' && node.args[0] === 'has' ? node.args[1] : [];
  const field = argument === undefined ? undefined : topFieldOf(argument);
  return field === undefined ? inner : [...inner, field];
}

/** `record.a.b` → `a`. */
function topFieldOf(node: ASTNode): string | undefined {
  return fieldOf(node, 'record') ?? (node.op === '.' ? topFieldOf(node.args[0]) : undefined);
}

function firstOf<T, R>(members: readonly T[], look: (member: T) => R | undefined): R | undefined {
  for (const member of members) {
    const found = look(member);
    if (found !== undefined) return found;
  }
  return undefined;
}

function metaProblem(node: ASTNode): ExpressionProblem | undefined {
  const name = fieldOf(node, 'meta');
  if (name !== undefined && !metaFields.has(name)) {
    return unknownName(`meta has no field "${name}"`, name, [...metaFields.keys()], node);
  }
  return firstOf(childrenOf(node), metaProblem);
}
