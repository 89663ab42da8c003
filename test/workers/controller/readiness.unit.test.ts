import assert from 'node:assert/strict';
import type { PipelineStatus } from '../../../model/status.ts';
import { readinessToTell, type ReadinessInput } from '../../../workers/controller/readiness.ts';

const since = '2026-01-01T00:00:00Z';
const sinceMs = Date.parse(since);

function ready(status: 'True' | 'False' | 'Unknown', reason: string): Partial<PipelineStatus> {
  const message = `because ${reason}`;
  return { conditions: [{ type: 'Ready', status, reason, message, lastTransitionTime: since }] };
}

function input(status: Partial<PipelineStatus>, shown: string | undefined, some: Partial<ReadinessInput> = {}) {
  const seen = {
    ...{ resourceVersion: '1', generation: 1, deleting: false, isOurs: true, references: [] },
    status: { observedGeneration: 1, phase: 'NotReady', ...status } as const,
  };
  return { seen, shown, now: sinceMs + 60_000, toldAt: -Infinity, lastingMs: 30_000, ...some };
}

const well = ready('True', 'Running');
const refused = ready('False', 'SinkAuthRejected');
const away = ready('False', 'SinkUnreachable');
const busy = { operation: { id: 'x', type: 'repair', step: 'begin', startedAt: since } };
const now = sinceMs + 60_000;

describe('readiness: what the entity is told', () => {
  const rows: [title: string, given: ReadinessInput, expected: string | undefined][] = [
    ['H2: nothing of one that is well and was never told of', input(well, undefined), undefined],
    ['H2: nothing of one that is shown as it is', input(well, 'Running'), undefined],
    ['that it is not ready, and why', input(refused, undefined), 'SinkAuthRejected'],
    ['that it is not ready any more', input(refused, 'Running'), 'SinkAuthRejected'],
    ['that it is ready again', input(well, 'SinkAuthRejected'), 'Running'],
    ['that nothing is known', input(ready('Unknown', 'NotHeard'), 'Running'), 'NotHeard'],
    ['H2: nothing twice', input(refused, 'SinkAuthRejected'), undefined],
    ['another reason', input(away, 'SinkAuthRejected'), 'SinkUnreachable'],
    ['H1: another reason not at once', input(away, 'SinkAuthRejected', { toldAt: now - 299_000 }), undefined],
    [
      'H1: that it is ready again although it was told a minute ago',
      input(well, 'SinkAuthRejected', { toldAt: now - 60_000 }),
      'Running',
    ],
    ['H1: not what has not lasted', input(refused, 'Running', { now: sinceMs + 29_000 }), undefined],
    ['H3: not while an operation runs', input({ ...refused, ...busy }, 'Running'), undefined],
    ['H3: not while a generation waits', input({ ...refused, observedGeneration: 0 }, 'Running'), undefined],
    ['H3: not of one that has failed', input({ ...refused, phase: 'Failed' }, 'Failed'), undefined],
    ['H3: not of one that is paused', input({ ...ready('True', 'Paused'), phase: 'Paused' }, 'Paused'), undefined],
  ];
  for (const [title, given, expected] of rows) {
    it(title, () => {
      const told = readinessToTell(given);
      assert.equal(told?.reason, expected);
      if (told !== undefined) assert.deepEqual([told.isReady, told.since], [expected === 'Running', since]);
    });
  }
});
