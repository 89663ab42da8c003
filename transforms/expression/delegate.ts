/**
 * One operator or function of CEL on values, evaluated by cel-js. The compiled form (`./compile.ts`) uses it for every
 * combination of types that it does not handle itself, so both have the same meaning and the same errors.
 */
import { ExactNumber } from '../../model/value.ts';
import { valueEnvironment } from './environment.ts';

type Program = (values: Record<string, unknown>) => unknown;

const programs = new Map<string, Program>();

function program(source: string): Program {
  const known = programs.get(source);
  if (known !== undefined) return known;
  const made = valueEnvironment.parse(source);
  const run: Program = (values) => made(values);
  programs.set(source, run);
  return run;
}

export function binary(operator: string, left: unknown, right: unknown): unknown {
  return program(`a0 ${operator} a1`)({ a0: computable(left), a1: computable(right) });
}

export function unary(operator: '!' | '-', operand: unknown): unknown {
  return program(`${operator}a0`)({ a0: computable(operand) });
}

export function index(target: unknown, key: unknown): unknown {
  return program('a0[a1]')({ a0: computable(target), a1: computable(key) });
}

/** `name(arguments…)`, or `receiver.name(arguments…)` when there is a receiver. */
export function call(name: string, receiver: { readonly value: unknown } | null, values: readonly unknown[]): unknown {
  const names = values.map((_, i) => `a${i}`);
  const source = `${receiver === null ? '' : 'r.'}${name}(${names.join(', ')})`;
  const context: Record<string, unknown> = receiver === null ? {} : { r: computable(receiver.value) };
  values.forEach((value, i) => {
    context[`a${i}`] = computable(value);
  });
  return program(source)(context);
}

/** True when {@link call} can take that many arguments. */
export const maxDelegatedArguments = 4;

/**
 * A value with which CEL can compute: an exact number that is an integer becomes an int, any other a double; fields
 * that a step removed are left out.
 */
export function computable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof ExactNumber) return computableNumber(value);
  if (!needsCopy(value)) return value;
  if (Array.isArray(value)) return value.map(computable);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === undefined ? [] : [[key, computable(member)]])),
  );
}

/** A number of more digits than any integer type has is a double like every other: it is not worth the time. */
const integerText = /^-?[0-9]{1,80}$/;

export function computableNumber({ text }: ExactNumber): number | bigint {
  return integerText.test(text) ? BigInt(text) : Number(text);
}

function needsCopy(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined;
  if (value instanceof ExactNumber) return true;
  if (Array.isArray(value)) return value.some(needsCopy);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.values(value).some(needsCopy);
}
