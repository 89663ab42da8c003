import assert from 'node:assert/strict';
import { finalizer } from '../../model/names.ts';
import { refusalOf } from '../../cli/commands/retry.ts';
import { Holding, reachedText, untilGone, untilSettled, untilSettledAgain, type Verdict } from '../../cli/wait.ts';
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
      const judge = untilSettled(stored({ metadata: { generation: 2 } }), 'Paused');
      const pipeline = stored({ metadata: { generation: 2 }, status: { observedGeneration: 2, ...status } });
      assert.equal(judge({ is: 'there', pipeline }).is, verdict);
    });
  }
});

it('I14: what a pause says when it is done includes that the spec is refused', () => {
  const status: PipelineStatus = { phase: 'Paused', observedGeneration: 2, conditions: [refused, stalled] };
  const pipeline = stored({ metadata: { generation: 2 }, status });
  const verdict = untilSettled(pipeline, 'Paused')({ is: 'there', pipeline });
  assert(verdict.is === 'reached');
  assert.equal(reachedText(verdict.message, verdict), 'paused, but its spec is refused (SpecInvalid): no');
  assert.equal(reachedText('Paused', { is: 'reached', message: 'Paused' }), 'paused');
});

describe('a retry', () => {
  const rows: readonly [what: string, status: PipelineStatus, says: string | undefined][] = [
    ['of a spec that is refused', { conditions: [refused] }, 'it is refused, and what to do'],
    ['of a failed operation', { conditions: [condition('Accepted', 'True', 'Valid'), failed] }, undefined],
    ['while an earlier spec was refused', { conditions: [{ ...refused, observedGeneration: 1 }] }, undefined],
    ['of what was never looked at', {}, undefined],
  ];
  for (const [what, status, says] of rows)
    it(`${says === undefined ? 'does not speak of a refusal' : 'says what is refused'}: ${what}`, () => {
      const conditions = status.conditions?.map((each) => ({ ...each, message: says ?? each.message }));
      const pipeline = stored({
        metadata: { generation: 2 },
        status: { ...status, ...(conditions && { conditions }) },
      });
      const said = says && `its spec is refused, and read once more as it is (SpecInvalid): ${says}`;
      assert.equal(refusalOf(pipeline), said);
    });
});

describe('the verdict of a deletion', () => {
  const held = 'finalizer example.com/hold must be removed by whoever has set it (backup-tool)';
  const others = ['example.com/hold'];
  const rows: readonly [what: string, look: Parameters<typeof stored>[0], held: string | undefined, says: RegExp][] = [
    ['nothing has begun', { metadata: { finalizers: [finalizer] } }, undefined, /teardown has not begun/],
    [
      'Millrace is at work, and another keeps it as well',
      { metadata: { finalizers: [finalizer, ...others] }, status: { phase: 'Deleting', operation } },
      held,
      /pause is at "begin"/,
    ],
    [
      'what was made is kept by another',
      {
        metadata: { finalizers: [finalizer] },
        status: { phase: 'Deleting', operation: { ...operation, lastError: `Namespace n still exists: ${held}` } },
      },
      undefined,
      /example\.com\/hold must be removed by whoever has set it \(backup-tool\)/,
    ],
    ['only another keeps it', { metadata: { finalizers: others } }, held, /example\.com\/hold must be removed by/],
  ];
  for (const [what, part, keeps, says] of rows) {
    it(`waits, and says for what: ${what}`, () => {
      const pipeline = stored(part);
      const verdict = untilGone(pipeline)({ is: 'there', pipeline, held: keeps });
      assert.equal(verdict.is, 'waiting');
      assert.match(verdict.message, says);
      // It is told at once, and not only when the time is over.
      const isLast = keeps !== undefined && part?.metadata !== undefined && !JSON.stringify(part).includes(finalizer);
      assert.equal('others' in verdict, isLast);
    });
  }

  it('is no wait for a change: what is being deleted is carried out no more', () => {
    const pipeline = stored({ metadata: { deletionTimestamp: '2026-05-01T12:00:00Z' } });
    const verdict = untilSettled(pipeline)({ is: 'there', pipeline, held });
    assert.equal(verdict.is, 'refused');
    assert.match(verdict.message, /being deleted; finalizer example\.com\/hold/);
  });
});

describe('the verdict of a retry that says nothing new', () => {
  const paused = { spec: { desiredState: 'Paused' }, metadata: { generation: 2 } };
  const rows: readonly [what: string, part: Parameters<typeof stored>[0], verdict: Verdict['is'], holds: boolean][] = [
    [
      'a paused pipeline whose spec is refused again is paused',
      { ...paused, status: { phase: 'Paused', observedGeneration: 2, conditions: [refused, stalled] } },
      'reached',
      true,
    ],
    [
      'a running one whose spec is refused again is refused',
      {
        metadata: { generation: 2 },
        status: { phase: 'NotReady', observedGeneration: 2, conditions: [refused, stalled] },
      },
      'refused',
      true,
    ],
    [
      'a pause that has failed is refused',
      { ...paused, status: { phase: 'Failed', observedGeneration: 2, conditions: [refused, stalled, failed] } },
      'refused',
      true,
    ],
    [
      'an operation that runs is waited for',
      { ...paused, status: { phase: 'Pausing', observedGeneration: 2, operation, conditions: [refused, stalled] } },
      'waiting',
      false,
    ],
  ];
  for (const [what, part, verdict, holds] of rows) {
    it(`${what}, ${holds ? 'when that has held' : 'however long that takes'}`, () => {
      const pipeline = stored(part);
      const found = untilSettledAgain(pipeline)({ is: 'there', pipeline });
      assert.equal(found.is, verdict);
      let held = 0;
      const holding = new Holding(
        () => held++,
        (_, then) => {
          then();
          return () => undefined;
        },
      );
      holding.see(found);
      assert.equal(held, holds ? 1 : 0);
    });
  }

  it('counts at once what an operation has brought since', () => {
    const was = stored({
      ...paused,
      status: { phase: 'Paused', observedGeneration: 2, conditions: [refused, stalled] },
    });
    const judge = untilSettledAgain(was);
    judge({ is: 'there', pipeline: { ...was, status: { ...was.status, operation } } });
    assert.deepEqual(judge({ is: 'there', pipeline: was }), {
      is: 'reached',
      message: 'Paused',
      beside: 'its spec is refused (SpecInvalid): no',
    });
  });
});
