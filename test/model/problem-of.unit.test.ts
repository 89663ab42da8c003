import { equal, ok } from 'node:assert/strict';
import { problemOf } from '../../model/errors.ts';

const refused = (address: string) => new Error(`connect ECONNREFUSED ${address}`);
const deep = (levels: number): Error => (levels === 0 ? refused('a') : new AggregateError([deep(levels - 1)]));

describe('the problem of a thrown value', () => {
  const table: readonly (readonly [what: string, thrown: unknown, said: string])[] = [
    ['an error', new Error('odd'), 'odd'],
    ['an error without message', new RangeError(), 'RangeError'],
    ['a text', 'odd', 'odd'],
    ['nothing', undefined, 'undefined'],
    [
      'several without a message of their own',
      new AggregateError([refused('a'), refused('b')]),
      'connect ECONNREFUSED a; connect ECONNREFUSED b',
    ],
    [
      'several with one',
      new AggregateError([refused('a'), 'odd', 7], 'all failed'),
      'all failed: connect ECONNREFUSED a; odd; 7',
    ],
    ['several that say the same', new AggregateError([refused('a'), refused('a')]), 'connect ECONNREFUSED a'],
    ['several within several', deep(3), 'connect ECONNREFUSED a'],
    ['none of several', new AggregateError([]), 'it was not said why'],
    ['an error that says nothing of itself', new Error(), 'it was not said why'],
    ['many levels', deep(40), 'it was not said why'],
    [
      'several without any message',
      new AggregateError([new Error(), new TypeError()]),
      'it was not said why; TypeError',
    ],
  ];
  for (const [what, thrown, said] of table) it(`of ${what} is "${said}"`, () => equal(problemOf(thrown), said));

  it('is short, however many there are and however long', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => refused(`${i}${'x'.repeat(1_000)}`));
    ok(problemOf(new AggregateError(many)).length <= 400);
  });
});
