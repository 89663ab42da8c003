import assert from 'node:assert/strict';
import { podReason } from '../../../activities/kubernetes/pods.ts';
import { mergeStatus } from '../../../activities/status/merge.ts';

const pod = (status: object) => ({ metadata: { name: 'sink-1' }, status });

describe('why pods are not ready', () => {
  it('says nothing of pods that are on their way', () => {
    assert.equal(
      podReason([pod({ containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }] })]),
      undefined,
    );
  });
  it('names a crash loop with the exit code and what the container said', () => {
    const state = { waiting: { reason: 'CrashLoopBackOff' } };
    const lastState = { terminated: { exitCode: 1, message: 'no route' } };
    const reason = podReason([pod({ containerStatuses: [{ restartCount: 3, state, lastState }] })]);
    assert.equal(reason, 'pod sink-1 is in CrashLoopBackOff, restarted 3 times (exit code 1, no route)');
  });
  it('names what the scheduler misses', () => {
    const conditions = [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }];
    assert.equal(podReason([pod({ conditions })]), 'pod sink-1 is not scheduled: 0/1 nodes are available');
  });
});

describe('status of the lifecycle', () => {
  const input = { opSeq: 2, generation: 1, now: '2026-01-02T00:00:00Z' };
  const stalled = { type: 'Stalled', status: 'False', reason: 'Settled', message: '' } as const;
  it('M2: a condition keeps the time of its last change of status', () => {
    const first = mergeStatus({}, { conditions: [stalled] }, input);
    assert.ok(first);
    const second = mergeStatus(
      first,
      { conditions: [{ ...stalled, reason: 'Other' }] },
      { ...input, now: '2026-01-03T00:00:00Z' },
    );
    assert.equal(second?.conditions?.[0]?.lastTransitionTime, input.now);
  });
  it('M3: an older operation writes nothing', () => {
    assert.equal(mergeStatus({ opSeq: 3 }, { phase: 'Running' }, input), undefined);
  });
  it('writes nothing when nothing changes', () => {
    const first = mergeStatus({}, { phase: 'Running', conditions: [stalled] }, input);
    assert.ok(first);
    assert.equal(
      mergeStatus(first, { phase: 'Running', conditions: [stalled] }, { ...input, now: 'later' }),
      undefined,
    );
  });
});
