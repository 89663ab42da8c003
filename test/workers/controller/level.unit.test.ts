import assert from 'node:assert/strict';
import { needOf } from '../../../workers/controller/level.ts';
import type { Seen } from '../../../workers/controller/pipeline-record.ts';

describe('level of a pipeline', () => {
  const seen = (observedGeneration: number | undefined, some: Partial<Seen> = {}): Seen => ({
    ...{ resourceVersion: '1', generation: 2, deleting: false, isOurs: true, references: [] },
    status: { observedGeneration },
    ...some,
  });
  const told = { generation: 2, deleting: false };
  const rows: [title: string, need: string, ...Parameters<typeof needOf>][] = [
    [
      'E2: a new pipeline gets its finalizer first',
      'addFinalizer',
      seen(undefined, { isOurs: false }),
      undefined,
      false,
    ],
    ['a generation that was not carried out is told', 'tell', seen(1), undefined, false],
    ['E1: but only once', 'nothing', seen(1), told, false],
    ['E1: nothing is told of a settled pipeline', 'nothing', seen(2), undefined, false],
    ['a deletion is told', 'tell', seen(2, { deleting: true }), told, false],
    ['a pipeline whose entity is missing is told again', 'tell', seen(2), told, true],
    ['a decision that was not looked at is told', 'tell', seen(2, { decision: 'records.1=reread' }), told, false],
    [
      'E1: but only once',
      'nothing',
      seen(2, { decision: 'records.1=reread' }),
      { ...told, decision: 'records.1=reread' },
      false,
    ],
    [
      'a decision that was looked at is not',
      'nothing',
      seen(2, {
        decision: 'records.1=reread',
        status: { observedGeneration: 2, decision: { text: 'records.1=reread', at: '2026-01-01T00:00:00Z' } },
      }),
      told,
      false,
    ],
    [
      'a pipeline without our finalizer that is being deleted is none of our business',
      'nothing',
      seen(undefined, { isOurs: false, deleting: true }),
      undefined,
      false,
    ],
  ];
  for (const [title, expected, ...args] of rows) it(title, () => assert.equal(needOf(...args).do, expected));
});
