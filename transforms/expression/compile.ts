/**
 * Turns a CEL syntax tree into a chain of closures.
 *
 * C1  The result and the error text are those of cel-js (test/transforms/expression/differential.test.ts); only the
 *     speed differs: cel-js walks its tree and looks overloads up for each record (about 1 µs an expression). One
 *     exception: `string()` of a number with more digits than a double has gives all of them.
 * C2  What is not handled here (macros over lists, type names) is reported as undefined, and the caller uses cel-js for
 *     the whole expression.
 * C3  Only a value's own fields can be reached.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { RecordMeta, RecordObject } from '../../model/value.ts';
import type { Closure } from './closure.ts';
import { index, maxDelegatedArguments, unary } from './delegate.ts';
import { functionFor, methodFor } from './functions.ts';
import { compileLogic } from './logic.ts';
import * as operators from './operators.ts';
import { noSuchKey, ownField, type BinaryOperation } from './operators.ts';
import { metaFields } from './variables.ts';

const binaryOperations: Readonly<Record<string, BinaryOperation>> = {
  '+': operators.add,
  '-': operators.subtract,
  '*': operators.multiply,
  '/': operators.divide,
  '%': operators.modulo,
  '<': operators.isLess,
  '<=': operators.isAtMost,
  '>': operators.isMore,
  '>=': operators.isAtLeast,
  in: operators.isIn,
  '==': operators.isEqual,
  '!=': (left, right) => operators.isEqual(left, right) !== true,
};

/** The closure of a node, or undefined when some part of it is left to cel-js. */
export function compileNode(node: ASTNode): Closure | undefined {
  switch (node.op) {
    case 'value': {
      const value = node.args;
      return typeof value === 'object' && value !== null ? undefined : () => value;
    }
    case 'id':
      return compileVariable(node.args);
    case '.':
      return compileField(node.args[0], node.args[1]);
    case '[]':
      return compileIndex(node.args[0], node.args[1]);
    case 'call':
      return node.args[0] === 'has' ? compileHas(node.args[1][0]) : compileCall(node.args[0], node.args[1]);
    case 'rcall':
      return compileMethod(node.args[0], node.args[1], node.args[2]);
    case 'list':
      return compileList(node.args);
    case 'map':
      return compileMap(node.args);
    case '!_': {
      const operand = compileNode(node.args);
      return (
        operand &&
        ((r, m, n) => {
          const value = operand(r, m, n);
          return typeof value === 'boolean' ? !value : unary('!', value);
        })
      );
    }
    case '-_':
      return compileMinus(node.args);
    case '?:':
    case '&&':
    case '||':
      return compileLogic(node, compileNode);
    case '.?':
    case '[?]':
      return undefined;
    default:
      return compileBinary(node.op, node.args[0], node.args[1]);
  }
}

function compileVariable(name: string): Closure | undefined {
  if (name === 'record') return (record) => record;
  if (name === 'now') return (_record, _meta, nowMs) => new Date(nowMs);
  return undefined;
}

function compileField(target: ASTNode, key: string): Closure | undefined {
  if (target.op === 'id' && target.args === 'meta') {
    const field = metaFields.get(key);
    return field && ((_record, meta) => field(meta));
  }
  // A key that Object.prototype lacks is the value's own whenever it is found, so one property load decides.
  const isSafe = !(key in Object.prototype);
  if (target.op === 'id' && target.args === 'record' && isSafe) {
    return (record) => {
      const value = record[key];
      if (value === undefined) throw noSuchKey(key);
      return value;
    };
  }
  const of = compileNode(target);
  return (
    of &&
    ((r, m, n) => {
      const value = ownField(of(r, m, n), key);
      if (value === undefined) throw noSuchKey(key);
      return value;
    })
  );
}

function compileIndex(target: ASTNode, key: ASTNode): Closure | undefined {
  const of = compileNode(target);
  const at = compileNode(key);
  if (of === undefined || at === undefined) return undefined;
  return (r, m, n) => {
    const container = of(r, m, n);
    const position = at(r, m, n);
    if (typeof position === 'string') {
      const value = ownField(container, position);
      if (value !== undefined) return value;
    } else if (Array.isArray(container) && typeof position === 'bigint') {
      const value: unknown = container[Number(position)];
      if (value !== undefined) return value;
    }
    return index(container, position);
  };
}

/** `has(record.a.b)`: false when the last field is absent, an error when one before it is. */
function compileHas(argument: ASTNode | undefined): Closure | undefined {
  const keys: string[] = [];
  let node = argument;
  while (node?.op === '.') {
    keys.unshift(node.args[1]);
    node = node.args[0];
  }
  const last = keys.pop();
  if (node?.op !== 'id' || node.args !== 'record' || last === undefined) return undefined;
  if (keys.length === 0 && !(last in Object.prototype)) return (record) => record[last] !== undefined;
  return (record) => {
    let at: unknown = record;
    for (const key of keys) {
      at = ownField(at, key);
      if (at === undefined) throw noSuchKey(key);
    }
    return ownField(at, last) !== undefined;
  };
}

function compileBinary(operator: string, left: ASTNode, right: ASTNode): Closure | undefined {
  const of = compileNode(left);
  const by = compileNode(right);
  if (of === undefined || by === undefined) return undefined;
  const constant = right.op === 'value' ? right.args : undefined;
  if (typeof constant === 'string' || typeof constant === 'boolean' || constant === null) {
    if (operator === '==') return (r, m, n) => of(r, m, n) === constant;
    if (operator === '!=') return (r, m, n) => of(r, m, n) !== constant;
  }
  if (operator === 'in' && right.op === 'list') return compileMembership(of, right.args) ?? general(operator, of, by);
  return general(operator, of, by);
}

function general(operator: string, of: Closure, by: Closure): Closure | undefined {
  const operation = binaryOperations[operator];
  return operation && ((r, m, n) => operation(of(r, m, n), by(r, m, n)));
}

/** `x in ["a", "b"]` with constants only: one look into a set. */
function compileMembership(of: Closure, elements: readonly ASTNode[]): Closure | undefined {
  const members = new Set<unknown>();
  for (const element of elements) {
    if (element.op !== 'value' || typeof element.args !== 'string') return undefined;
    members.add(element.args);
  }
  return (r, m, n) => members.has(of(r, m, n));
}

function compileMinus(argument: ASTNode): Closure | undefined {
  if (argument.op === 'value' && (typeof argument.args === 'number' || typeof argument.args === 'bigint')) {
    const value = -argument.args;
    return () => value;
  }
  const operand = compileNode(argument);
  return (
    operand &&
    ((r, m, n) => {
      const value = operand(r, m, n);
      return typeof value === 'number' ? -value : unary('-', value);
    })
  );
}

/** cel-js evaluates arguments and elements from the last to the first; when two fail, that decides which error shows. */
function compileAll(nodes: readonly ASTNode[]): ((r: RecordObject, m: RecordMeta, n: number) => unknown[]) | undefined {
  const closures: Closure[] = [];
  for (const node of nodes) {
    const closure = compileNode(node);
    if (closure === undefined) return undefined;
    closures.push(closure);
  }
  return (r, m, n) => {
    const values = new Array<unknown>(closures.length);
    for (let i = closures.length - 1; i >= 0; i--) values[i] = closures[i]!(r, m, n);
    return values;
  };
}

function compileList(elements: readonly ASTNode[]): Closure | undefined {
  return compileAll(elements);
}

function compileMap(entries: readonly (readonly [ASTNode, ASTNode])[]): Closure | undefined {
  const members: [string, Closure][] = [];
  for (const [key, value] of entries) {
    const closure = compileNode(value);
    if (key.op !== 'value' || typeof key.args !== 'string' || key.args in Object.prototype || closure === undefined) {
      return undefined;
    }
    members.push([key.args, closure]);
  }
  return (r, m, n) => {
    const made: Record<string, unknown> = {};
    for (const [key, closure] of members) made[key] = closure(r, m, n);
    return made;
  };
}

function compileCall(name: string, nodes: readonly ASTNode[]): Closure | undefined {
  if (nodes.length > maxDelegatedArguments) return undefined;
  const operation = functionFor(name);
  const [only] = nodes;
  if (nodes.length === 1 && only !== undefined) {
    const argument = compileNode(only);
    return argument && ((r, m, n) => operation([argument(r, m, n)]));
  }
  const values = compileAll(nodes);
  return values && ((r, m, n) => operation(values(r, m, n)));
}

const macros = new Set(['all', 'exists', 'exists_one', 'map', 'filter', 'bind']);

function compileMethod(name: string, receiver: ASTNode, nodes: readonly ASTNode[]): Closure | undefined {
  if (macros.has(name) || nodes.length > maxDelegatedArguments) return undefined;
  const of = compileNode(receiver);
  const values = compileAll(nodes);
  if (of === undefined || values === undefined) return undefined;
  const operation = methodFor(name, nodes);
  const [only] = nodes;
  const constant = nodes.length === 1 && only?.op === 'value' ? [only.args] : undefined;
  if (constant !== undefined) return (r, m, n) => operation(of(r, m, n), constant);
  return (r, m, n) => {
    const given = values(r, m, n);
    return operation(of(r, m, n), given);
  };
}
