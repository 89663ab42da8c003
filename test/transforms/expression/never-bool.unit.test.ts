import assert from 'node:assert/strict';
import { checkExpression } from '../../../transforms/expression/check.ts';
import { compileCondition, compileExpression } from '../../../transforms/expression/expression.ts';
import type { RecordObject } from '../../../model/value.ts';
import { MillraceError } from '../../../model/errors.ts';

const meta = { source: 's', topic: null, partition: null, offset: null, key: null, headers: {}, timestamp: 0 };

const problem = (source: string, isCondition = true) => checkExpression(source, { fields: null, isCondition })[0];

describe('where a bool must stand', () => {
  const refused = [
    ...['record.amount + 1', 'record.a - record.b', 'record.a * record.b', 'record.a / 2.0', 'record.a % 2'],
    ...[
      '-record.a',
      '"yes"',
      '1',
      '2.5',
      'null',
      '[record.a]',
      '{"a": record.a}',
      'size(record.a)',
      'string(record.a)',
    ],
    ...['now', 'record', 'meta', 'record.a + 1 && record.b', 'record.b || "x"', '!(record.a + 1)', 'int(record.a)'],
    ...['record.a + 1 ? true : false', 'record.b ? record.a + 1 : record.a - 1', '(record.a + 1)', '[1].map(x, x + 1)'],
  ];
  for (const source of refused) {
    it(`B1: ${source} is refused`, () => assert.match(problem(source)?.message ?? '', /bool/));
  }

  const taken = [
    ...['record.a', 'record.a > 1', 'record.a + 1 > 2', 'record.a == "x"', '!record.a', 'has(record.a)', 'true'],
    ...[
      'record.a in [1, 2]',
      'record.b ? record.a : false',
      'record.s.startsWith("x")',
      'bool(record.a)',
      'record["a"]',
    ],
    ...['[1, 2].exists(x, x == record.a)', 'record.list[0]', 'record.b ? true : record.a', 'size(record.l) > 0'],
  ];
  for (const source of taken) {
    it(`${source} is taken`, () => assert.equal(problem(source), undefined));
  }

  it('B1: within an expression that gives something else, too', () => {
    assert.match(problem('record.a + 1 ? "x" : "y"', false)?.message ?? '', /must be a bool, but is a sum/);
    assert.equal(problem('record.a + 1', false), undefined);
  });
});

describe('what a dead letter of an expression says to do', () => {
  const rows: readonly (readonly [source: string, record: RecordObject, advice: RegExp])[] = [
    ['record.missing', {}, /Guard the field with has\(\)/],
    ['record.a / 0.0', { a: 1 }, /what a divisor of 0 gives/],
    ['1 / (size(record.s) - 1)', { s: 'x' }, /what a divisor of 0 gives/],
    ['1 % (size(record.s) - 1)', { s: 'x' }, /what a divisor of 0 gives/],
    ['record.a ? 1 : 2', { a: 'x' }, /^Correct the expression: the record need not be at fault/],
    ['record.a && true', { a: 'x' }, /^Correct the expression: the record need not be at fault/],
    ['record.a - 1', { a: 'x' }, /Correct the expression, or the producer/],
    ['int(record.a)', { a: 'x' }, /Correct the expression, or the producer/],
  ];
  for (const [source, record, advice] of rows) {
    it(`${source} of ${JSON.stringify(record)}`, () => {
      const run = compileExpression(source, 'spec', 'shape');
      assert.throws(
        () => run({ ...record }, meta, 0),
        (error) => error instanceof MillraceError && advice.test(error.fix),
      );
    });
  }

  it('a condition that gives no bool is at fault itself', () => {
    const run = compileCondition('record.a', 'spec', 'paid');
    assert.throws(
      () => run({ a: 1 }, meta, 0),
      (error) =>
        error instanceof MillraceError && /^Correct the expression: the record need not be at fault/.test(error.fix),
    );
  });
});
