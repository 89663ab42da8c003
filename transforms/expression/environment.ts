/**
 * The language of expressions: CEL, as cel-js implements it, with what records need on top.
 *
 * X1  `record`, `meta` and `now` are the only variables.
 * X2  JSON numbers are doubles and integer literals are ints, so arithmetic between the two is defined here: the result
 *     is a double. `1 / 2` between ints stays integer division, as CEL says.
 * X3  An expression is bounded: its length, its nodes, its depth (`./guards.ts` adds macros and patterns, `./budget.ts`
 *     what it costs).
 */
import { Environment } from '@marcbachmann/cel-js';
import { begun, charged, ended, rounds } from './budget.ts';
import type { KnownFields } from './fields.ts';
import { compilePattern, type Pattern } from './pattern.ts';
import { EvaluationProblem } from './problem.ts';

export const maxSourceLength = 4096;

export const timestampType = 'google.protobuf.Timestamp';

const limits = { maxAstNodes: 2000, maxDepth: 64, maxListElements: 500, maxMapEntries: 500, maxCallArguments: 16 };
const base = baseWith(limits);

/** The environment in which expressions are checked and evaluated when nothing is known about the record. */
export const recordEnvironment = withRecord(base, 'map<string, dyn>');

/**
 * For expressions that {@link recordEnvironment} took, with counts put in (`./bounded.ts`), which only then are
 * there.
 */
export const countingEnvironment = withRecord(
  baseWith({ ...limits, maxAstNodes: 4 * limits.maxAstNodes, maxDepth: 4 * limits.maxDepth })
    .registerFunction('charged(dyn): dyn', (value: unknown) => charged(value))
    .registerFunction('rounds(dyn): dyn', (value: unknown) => rounds(value))
    // Arguments are evaluated from the last to the first.
    .registerFunction('begun(): bool', () => begun())
    .registerFunction('ended(dyn, bool): dyn', (value: unknown) => ended(value)),
  'map<string, dyn>',
);

/** The environment for `r.f(a0, a1)` and `a0 + a1` on values of any type: what `./delegate.ts` compiles against. */
export const valueEnvironment = ['r', 'a0', 'a1', 'a2', 'a3'].reduce(
  (environment, name) => environment.registerVariable(name, 'dyn'),
  base.clone(),
);

/** An environment that knows the fields of the record, for checks only. */
export function environmentFor(fields: KnownFields): Environment {
  if (fields === null) return recordEnvironment;
  return withRecord(base, { schema: Object.fromEntries(fields) });
}

function baseWith(bounds: typeof limits): Environment {
  return addFunctions(addMixedNumbers(new Environment({ homogeneousAggregateLiterals: false, limits: bounds })));
}

function withRecord(of: Environment, record: string | { readonly schema: Record<string, string> }): Environment {
  const environment = of.clone();
  if (typeof record === 'string') environment.registerVariable('record', record);
  else environment.registerVariable('record', record);
  return environment.registerVariable('meta', 'map<string, dyn>').registerVariable('now', timestampType);
}

function addMixedNumbers(environment: Environment): Environment {
  const operators: Readonly<Record<string, (a: number, b: number) => number>> = {
    '+': (a, b) => a + b,
    '-': (a, b) => a - b,
    '*': (a, b) => a * b,
    '/': (a, b) => a / b,
    '%': (a, b) => a % b,
  };
  for (const [operator, apply] of Object.entries(operators)) {
    const mixed = (a: unknown, b: unknown): number => apply(Number(a), Number(b));
    environment.registerOperator(`int ${operator} double: double`, mixed);
    environment.registerOperator(`double ${operator} int: double`, mixed);
  }
  environment.registerOperator('double % double: double', (a: number, b: number) => a % b);
  environment.registerOperator('double == int: bool', (a: number, b: bigint) => a <= b && a >= b);
  return environment;
}

const patterns = new Map<string, Pattern>();

/** The patterns are constants of specs (G2), so there are few. */
function linear(pattern: string): Pattern {
  const known = patterns.get(pattern) ?? compilePattern(pattern);
  patterns.set(pattern, known);
  return known;
}

const longestDuration = 100;

/** cel-js takes cubic time in the length of a duration to parse it. */
export function shortDuration<T>(value: T): T {
  if (typeof value !== 'string' || value.length <= longestDuration) return value;
  throw new EvaluationProblem(`a duration has at most ${longestDuration} characters`);
}

function addFunctions(environment: Environment): Environment {
  return environment
    .registerFunction(`string(${timestampType}): string`, (at: Date) => at.toISOString())
    .registerFunction(`int(${timestampType}): int`, (at: Date) => BigInt(Math.floor(at.getTime() / 1000)))
    .registerFunction('string.matchesLinear(string): bool', (text: string, pattern: string) =>
      linear(pattern).test(text),
    )
    .registerFunction('shortText(dyn): dyn', (text: unknown) => shortDuration(text));
}
