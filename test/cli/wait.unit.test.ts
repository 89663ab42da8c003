import assert from 'node:assert/strict';
import { untilStill, type Verdict } from '../../cli/wait.ts';
import type { PipelineStatus } from '../../crds/pipeline.ts';
import { condition, stored } from './stored.ts';

/** The refusal of generation 2, which asks for the pause. */
const refused = { ...condition('Accepted', 'False', 'SpecInvalid', 'no'), observedGeneration: 2 };
const stalled = { ...condition('Stalled', 'True', 'SpecInvalid', 'no'), observedGeneration: 2 };
const failed = { ...condition('Provisioned', 'False', 'PodsNotGone', 'late'), observedGeneration: 2 };
const operation = { id: 'op', type: 'pause', step: 'begin', startedAt: '2026-05-01T12:00:00Z' };

describe('the verdict of a pause by a spec that is refused', () => {
  const rows: readonly [what: string, status: PipelineStatus, verdict: Verdict['is']][] = [
    [
      'the refusal is said, and the pause has not begun',
      { phase: 'NotReady', conditions: [refused, stalled] },
      'waiting',
    ],
    ['pods are being stopped', { phase: 'Pausing', operation, conditions: [refused] }, 'waiting'],
    ['it is paused', { phase: 'Paused', conditions: [refused, stalled] }, 'reached'],
    [
      'it was paused before, by an earlier spec',
      { phase: 'Paused', observedGeneration: 1, conditions: [refused] },
      'waiting',
    ],
    ['the pause has failed', { phase: 'Failed', conditions: [refused, stalled, failed] }, 'refused'],
    ['it is stopped, which was not asked for', { phase: 'Stopped', conditions: [refused, stalled] }, 'waiting'],
  ];
  for (const [what, status, verdict] of rows) {
    it(`${verdict}: ${what}`, () => {
      const judge = untilStill(stored({ metadata: { generation: 2 } }), 'Paused');
      const pipeline = stored({ metadata: { generation: 2 }, status: { observedGeneration: 2, ...status } });
      assert.equal(judge({ is: 'there', pipeline }).is, verdict);
    });
  }
});
