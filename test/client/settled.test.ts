import assert from 'node:assert/strict';
import { settledAt } from '../../client/settled.ts';
import type { Condition, PipelineStatus } from '../../crds/pipeline.ts';

function status(observedGeneration: number, ...conditions: Partial<Condition>[]): PipelineStatus {
  return {
    observedGeneration,
    conditions: conditions.map((condition) => ({
      type: 'Ready',
      status: 'True',
      reason: 'Running',
      message: '',
      observedGeneration,
      lastTransitionTime: '2026-05-01T12:00:00Z',
      ...condition,
    })),
  };
}

describe('settledAt', () => {
  it('is ready when the generation was carried out and Ready is True', () => {
    assert.equal(settledAt(status(3, {}), 3).is, 'ready');
  });

  it('waits while Ready speaks about an older generation', () => {
    assert.equal(settledAt(status(2, {}), 3).is, 'waiting');
    assert.equal(settledAt(status(3, { observedGeneration: 2 }), 3).is, 'waiting');
  });

  it('waits while nothing is known', () => {
    assert.deepEqual(settledAt(undefined, 1), {
      is: 'waiting',
      reason: 'Pending',
      message: 'Millrace has not looked at it yet',
    });
  });

  it('is refused when the spec was not accepted', () => {
    const refused = status(3, { type: 'Accepted', status: 'False', reason: 'SpecInvalid', message: 'no' });
    assert.deepEqual(settledAt(refused, 3), { is: 'refused', reason: 'SpecInvalid', message: 'no' });
  });

  it('is refused when the operation of this generation gave up, but not when an older one did', () => {
    const stalled: Partial<Condition> = {
      type: 'Stalled',
      status: 'True',
      reason: 'KubernetesRefused',
      message: 'quota',
    };
    assert.equal(settledAt(status(3, stalled), 3).is, 'refused');
    assert.equal(settledAt(status(2, stalled), 3).is, 'waiting');
  });

  it('says what the running operation waits for', () => {
    const running: PipelineStatus = {
      operation: {
        id: 'x',
        type: 'provision',
        step: 'copy credentials',
        startedAt: '2026-05-01T12:00:00Z',
        lastError: 'Secret "ch" is missing',
      },
    };
    assert.equal(settledAt(running, 1).message, 'provision is at "copy credentials": Secret "ch" is missing');
  });
});
