/** Functions and methods of CEL that records need most; all others, and all other types, go to cel-js. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { ExactNumber } from '../../model/value.ts';
import { call } from './delegate.ts';
import { shortDuration } from './environment.ts';
import { compilePattern } from './pattern.ts';

export type FunctionOperation = (values: readonly unknown[]) => unknown;
export type MethodOperation = (receiver: unknown, values: readonly unknown[]) => unknown;

/** `name(value)`. */
export function functionFor(name: string): FunctionOperation {
  switch (name) {
    case 'double':
      return (values) => (typeof values[0] === 'number' ? values[0] : call(name, null, values));
    case 'int':
      return (values) => {
        const [value] = values;
        return typeof value === 'number' && Number.isFinite(value)
          ? BigInt(Math.trunc(value))
          : call(name, null, values);
      };
    case 'string':
      return (values) => {
        const [value] = values;
        if (typeof value === 'string') return value;
        if (value instanceof ExactNumber) return value.text;
        return typeof value === 'number' && Number.isFinite(value) ? String(value) : call(name, null, values);
      };
    case 'size':
      return (values) => {
        const [value] = values;
        return Array.isArray(value) ? BigInt(value.length) : call(name, null, values);
      };
    case 'duration':
      return (values) => call(name, null, [shortDuration(values[0]), ...values.slice(1)]);
    default:
      return (values) => call(name, null, values);
  }
}

/** `receiver.name(values…)`. A pattern for `matches` is a constant (`./guards.ts`), so it is compiled once. */
export function methodFor(name: string, nodes: readonly ASTNode[]): MethodOperation {
  const general: MethodOperation = (receiver, values) => call(name, { value: receiver }, values);
  switch (name) {
    case 'startsWith':
      return withText((text, other) => text.startsWith(other), general);
    case 'endsWith':
      return withText((text, other) => text.endsWith(other), general);
    case 'contains':
      return withText((text, other) => text.includes(other), general);
    case 'lowerAscii':
      return onText((text) => text.toLowerCase(), general);
    case 'upperAscii':
      return onText((text) => text.toUpperCase(), general);
    case 'trim':
      return onText((text) => text.trim(), general);
    case 'matches': {
      const [pattern] = nodes;
      if (pattern?.op !== 'value' || typeof pattern.args !== 'string') return general;
      const compiled = compilePattern(pattern.args);
      return onText((text) => compiled.test(text), general);
    }
    default:
      return general;
  }
}

function withText(apply: (text: string, other: string) => boolean, general: MethodOperation): MethodOperation {
  return (receiver, values) => {
    const [other] = values;
    return typeof receiver === 'string' && typeof other === 'string' && values.length === 1
      ? apply(receiver, other)
      : general(receiver, values);
  };
}

function onText(apply: (text: string) => unknown, general: MethodOperation): MethodOperation {
  return (receiver, values) => (typeof receiver === 'string' ? apply(receiver) : general(receiver, values));
}
