/**
 * CEL's operators on the values of a record: the common types here, all others through `./delegate.ts`.
 *
 * Called for every record: no object is made, and the first test is for the types that records have most.
 */
import { ExactNumber } from '../../model/value.ts';
import { binary, computableNumber } from './delegate.ts';
import { EvaluationProblem } from './problem.ts';
import { noField } from './sentences.ts';

export type BinaryOperation = (left: unknown, right: unknown) => unknown;

const maxInt = 2n ** 63n - 1n;
const minInt = -(2n ** 63n);

function isInt(value: bigint): boolean {
  return value <= maxInt && value >= minInt;
}

export function add(left: unknown, right: unknown): unknown {
  if (typeof left === 'number') {
    if (typeof right === 'number') return left + right;
    if (typeof right === 'bigint') return left + Number(right);
  } else if (typeof left === 'string') {
    if (typeof right === 'string') return left + right;
  } else if (typeof left === 'bigint') {
    if (typeof right === 'number') return Number(left) + right;
    if (typeof right === 'bigint' && isInt(left + right)) return left + right;
  }
  return binary('+', left, right);
}

export function subtract(left: unknown, right: unknown): unknown {
  if (typeof left === 'number') {
    if (typeof right === 'number') return left - right;
    if (typeof right === 'bigint') return left - Number(right);
  } else if (typeof left === 'bigint') {
    if (typeof right === 'number') return Number(left) - right;
    if (typeof right === 'bigint' && isInt(left - right)) return left - right;
  }
  return binary('-', left, right);
}

export function multiply(left: unknown, right: unknown): unknown {
  if (typeof left === 'number') {
    if (typeof right === 'number') return left * right;
    if (typeof right === 'bigint') return left * Number(right);
  } else if (typeof left === 'bigint') {
    if (typeof right === 'number') return Number(left) * right;
    if (typeof right === 'bigint' && isInt(left * right)) return left * right;
  }
  return binary('*', left, right);
}

export function divide(left: unknown, right: unknown): unknown {
  if (typeof left === 'number') {
    if (typeof right === 'number') return left / right;
    if (typeof right === 'bigint') return left / Number(right);
  } else if (typeof left === 'bigint') {
    if (typeof right === 'number') return Number(left) / right;
    if (typeof right === 'bigint' && right !== 0n) return left / right;
  }
  return binary('/', left, right);
}

export function modulo(left: unknown, right: unknown): unknown {
  if (typeof left === 'number') {
    if (typeof right === 'number') return left % right;
    if (typeof right === 'bigint') return left % Number(right);
  } else if (typeof left === 'bigint') {
    if (typeof right === 'number') return Number(left) % right;
    if (typeof right === 'bigint' && right !== 0n) return left % right;
  }
  return binary('%', left, right);
}

export function isEqual(left: unknown, right: unknown): unknown {
  const isLeftObject = typeof left === 'object' && left !== null;
  const isRightObject = typeof right === 'object' && right !== null;
  if (isLeftObject || isRightObject) return binary('==', left, right);
  // `==`: a number and a bigint that hold the same value are equal.
  if (typeof left !== typeof right) return isNumeric(left) && isNumeric(right) && left == right;
  return left === right;
}

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

export function isLess(left: unknown, right: unknown): unknown {
  if (isText(left) && isText(right)) return left < right;
  return isNumeric(left) && isNumeric(right) ? left < right : binary('<', left, right);
}

export function isAtMost(left: unknown, right: unknown): unknown {
  if (isText(left) && isText(right)) return left <= right;
  return isNumeric(left) && isNumeric(right) ? left <= right : binary('<=', left, right);
}

export function isMore(left: unknown, right: unknown): unknown {
  if (isText(left) && isText(right)) return left > right;
  return isNumeric(left) && isNumeric(right) ? left > right : binary('>', left, right);
}

export function isAtLeast(left: unknown, right: unknown): unknown {
  if (isText(left) && isText(right)) return left >= right;
  return isNumeric(left) && isNumeric(right) ? left >= right : binary('>=', left, right);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isIn(value: unknown, container: unknown): unknown {
  if (typeof value === 'string') {
    if (Array.isArray(container)) return container.includes(value);
    if (isPlainObject(container)) return ownField(container, value) !== undefined;
  }
  return binary('in', value, container);
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The value of a field that the value itself has, or undefined. Nothing is inherited. */
export function ownField(target: unknown, key: string): unknown {
  return isPlainObject(target) && Object.hasOwn(target, key) ? target[key] : undefined;
}

export function noSuchKey(key: unknown): EvaluationProblem {
  return new EvaluationProblem(noField(String(key)), 'field');
}

/** An exact number in a form that can be computed with; any other value unchanged. */
export function operand(value: unknown): unknown {
  return value instanceof ExactNumber ? computableNumber(value) : value;
}
