import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { compileNode } from '../../../transforms/expression/compile.ts';
import { checkExpression, parseTree } from '../../../transforms/expression/check.ts';
import { computable } from '../../../transforms/expression/delegate.ts';
import { interpret } from '../../../transforms/expression/expression.ts';
import { summaryOf } from '../../../transforms/expression/problem.ts';
import { toRecordValue } from '../../../transforms/expression/result.ts';
import { ExactNumber, type RecordObject } from '../../../model/value.ts';

import { decode, meta } from '../support/records.ts';

/** Small pools, so that names and values meet often. */
const field = fc.constantFrom('a', 'b', 'n', 's', 'o', 'l', 'missing');
const literal = fc.constantFrom(
  ...['1', '2', '0', '-1', '1.5', '0.0', '-2.5', "'x'", "''", "'paid'", 'true', 'false', 'null', '9007199254740993'],
);

const expression = fc.letrec<{ any: string; access: string }>((tie) => ({
  access: fc.oneof(
    field.map((name) => `record.${name}`),
    fc.tuple(field, field).map(([outer, inner]) => `record.${outer}.${inner}`),
    field.map((name) => `record['${name}']`),
    fc.tuple(field, fc.constantFrom('0', '1', '7', '-1')).map(([name, i]) => `record.${name}[${i}]`),
    fc.constantFrom(
      'meta.source',
      'meta.offset',
      'meta.partition',
      'meta.key',
      'meta.headers.h',
      'meta.timestamp',
      'now',
    ),
  ),
  any: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'any' },
    literal,
    tie('access'),
    fc.tuple(tie('any'), fc.constantFrom('+', '-', '*', '/', '%'), tie('any')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc
      .tuple(tie('any'), fc.constantFrom('==', '!=', '<', '<=', '>', '>=', 'in'), tie('any'))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc.tuple(tie('any'), fc.constantFrom('&&', '||'), tie('any')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc.tuple(tie('any'), tie('any'), tie('any')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    fc.tuple(fc.constantFrom('!', '-'), tie('any')).map(([op, a]) => `${op}(${a})`),
    fc.tuple(fc.constantFrom('double', 'int', 'string', 'size', 'bool'), tie('any')).map(([f, a]) => `${f}(${a})`),
    fc
      .tuple(tie('any'), fc.constantFrom('startsWith', 'endsWith', 'contains', 'indexOf'), tie('any'))
      .map(([a, f, b]) => `(${a}).${f}(${b})`),
    fc.tuple(tie('any'), fc.constantFrom('lowerAscii', 'trim', 'size')).map(([a, f]) => `(${a}).${f}()`),
    tie('any').map((a) => `(${a}).matches('^[a-z]+$')`),
    fc.array(tie('any'), { maxLength: 3 }).map((members) => `[${members.join(', ')}]`),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `{'k': ${a}, 'm': ${b}}`),
    field.map((name) => `has(record.${name})`),
    fc.tuple(field, field).map(([outer, inner]) => `has(record.${outer}.${inner})`),
  ),
})).any;

const leaf = fc.oneof(
  fc.constantFrom(0, 1, 2, -1, 1.5, 9007199254740992),
  fc.constantFrom('', 'x', 'paid', 'X '),
  fc.boolean(),
  fc.constant(null),
  fc
    .constantFrom('12345678901234567', '98765432109876543210', '0.12345678901234567891')
    .map((text) => new ExactNumber(text)),
);
const value = fc.oneof(
  { weight: 4, arbitrary: leaf },
  fc.array(leaf, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('a', 'b', 's'), leaf, { maxKeys: 2 }),
);
const record = fc.dictionary(fc.constantFrom('a', 'b', 'n', 's', 'o', 'l'), value, { maxKeys: 6 });

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function outcome(run: () => unknown): { value: unknown } | { error: string } {
  try {
    // A field that is only copied keeps its digits in the compiled form.
    return { value: toRecordValue(computable(toRecordValue(run()))) };
  } catch (error) {
    // The types of members are told differently when a list or map is empty.
    return { error: summaryOf(error).replaceAll(/(list|map)<[^']*/g, '$1') };
  }
}

describe('compiled expressions', () => {
  it('give the value or the error of cel-js, for every expression that passes the check', () => {
    let compared = 0;
    fc.assert(
      fc.property(expression, record, (source, input) => {
        if (checkExpression(source, { fields: null, isCondition: false }).length > 0) return;
        const tree = parseTree(source);
        const compiled = 'op' in tree ? compileNode(tree) : undefined;
        if (compiled === undefined) return;
        compared++;
        const reference = interpret(source);
        // The one exception of C1: cel-js has only a double's digits to make a text of.
        if (source.includes('string(') && JSON.stringify(input).includes('0.12345678901234567891')) return;
        deepEqual(
          outcome(() => compiled(input, meta, nowMs)),
          outcome(() => reference(input, meta, nowMs)),
          source,
        );
      }),
      { numRuns: 20_000 },
    );
    equal(compared > 2_000, true, `only ${compared} expressions were compared`);
  });

  it('agree on integers beyond 2^53, which compute as int', () => {
    const input: RecordObject = decode('{"a":9007199254740993,"n":2}');
    for (const source of [
      'record.a + 1',
      'record.a % 10',
      'record.a == 9007199254740993',
      'record.a > record.n',
      'string(record.a)',
      '-record.a',
      '[record.a]',
    ]) {
      const tree = parseTree(source);
      const compiled = 'op' in tree ? compileNode(tree) : undefined;
      deepEqual(
        outcome(() => compiled?.(input, meta, nowMs)),
        outcome(() => interpret(source)(input, meta, nowMs)),
        source,
      );
    }
  });
});
