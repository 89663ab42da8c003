import assert from 'node:assert/strict';
import { lingerReason, podTroubles } from '../../../activities/kubernetes/pods.ts';
import type { KubeObject } from '../../../kubernetes/objects.ts';
import { mergeStatus } from '../../../activities/status/merge.ts';

const pod = (status: object, spec: object = {}) => ({ metadata: { name: 'sink-1', uid: 'uid-1' }, spec, status });
/** Of the first that is not ready. */
const whyNot = (...pods: readonly KubeObject[]) => podTroubles(pods)[0]?.why;

describe('why pods are not ready', () => {
  it('says nothing of pods that are on their way', () => {
    assert.equal(
      whyNot(pod({ containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }] })),
      undefined,
    );
  });
  it('names a crash loop with the exit code and what the container said', () => {
    const state = { waiting: { reason: 'CrashLoopBackOff' } };
    const lastState = { terminated: { exitCode: 1, message: 'no route' } };
    const reason = whyNot(pod({ containerStatuses: [{ restartCount: 3, state, lastState }] }));
    assert.equal(reason, 'pod sink-1 is in CrashLoopBackOff, restarted 3 times (exit code 1, no route)');
  });
  describe('that run', () => {
    const restarted = { running: { startedAt: '2026-01-01T00:00:10Z' } };
    const unready = (lastTransitionTime: string, restartCount: number) =>
      whyNot(
        pod({
          conditions: [{ type: 'Ready', status: 'False', lastTransitionTime }],
          containerStatuses: [
            {
              ready: false,
              restartCount,
              state: restarted,
              lastState: { terminated: { exitCode: 1, message: 'no route' } },
            },
          ],
        }),
      );
    it('names the last end of a container that has not been ready since', () => {
      assert.equal(
        unready('2026-01-01T00:00:09Z', 2),
        'pod sink-1 is not ready, restarted 2 times (exit code 1, no route)',
      );
    });
    for (const restarts of [0, 2]) {
      it(`names no end that it has been ready after, with ${restarts} restarts`, () => {
        const since = '2026-01-01T00:30:00Z';
        assert.equal(unready(since, restarts), `pod sink-1 is not ready any more since ${since}`);
      });
    }
    it('says nothing of one that starts', () => assert.equal(unready('2026-01-01T00:00:09Z', 0), undefined));
  });
  describe('whose memory has run out', () => {
    const killed = { exitCode: 137, reason: 'OOMKilled', finishedAt: '2026-01-01T00:00:05Z' };
    const spec = { containers: [{ resources: { limits: { memory: '64Mi' } } }] };
    const text = 'pod sink-1 was ended by the kernel because it used more memory than its limit of 64Mi (OOMKilled)';
    const states: readonly (readonly [when: string, status: object])[] = [
      ['while it has not started again', { state: { terminated: killed } }],
      [
        'while it starts again',
        { state: { running: { startedAt: '2026-01-01T00:00:06Z' } }, lastState: { terminated: killed } },
      ],
      ['while it waits to', { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: killed } }],
    ];
    for (const [when, status] of states)
      it(`have their limit named ${when}, and the end by its time`, () => {
        const conditions = [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:00:05Z' }];
        const killedPod = pod({ conditions, containerStatuses: [{ ready: false, restartCount: 1, ...status }] }, spec);
        assert.deepEqual(podTroubles([pod({}), killedPod]), [
          { why: `${text}, restarted 1 time`, outOfMemory: 'uid-1/2026-01-01T00:00:05Z' },
        ]);
      });
    it('are silent once they are ready again', () => {
      const status = { ready: true, restartCount: 1, state: { running: {} }, lastState: { terminated: killed } };
      assert.deepEqual(podTroubles([pod({ containerStatuses: [status] }, spec)]), []);
    });
  });
  it('names what the scheduler misses', () => {
    const conditions = [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }];
    assert.equal(whyNot(pod({ conditions })), 'pod sink-1 is not scheduled: 0/1 nodes are available');
  });
});

describe('why pods are not gone', () => {
  const due = '2026-01-01T00:00:00Z';
  const at = (seconds: number) => Date.parse(due) + seconds * 1_000;
  const ending = { metadata: { name: 'sink-1', deletionTimestamp: due }, spec: { nodeName: 'n1' } };
  it('says nothing while their time to end is not over', () => {
    assert.equal(lingerReason([ending], at(-20)), undefined);
    assert.equal(lingerReason([ending], at(5)), undefined);
    assert.equal(lingerReason([pod({})], at(500)), undefined);
  });
  it('M6: names the pod, its node, since when, and what holds it', () => {
    const text = 'pod sink-1 on node n1 should be gone since 2026-01-01T00:00:00.000Z';
    assert.equal(lingerReason([ending], at(60)), text);
    const held = { ...ending, metadata: { ...ending.metadata, finalizers: ['example.org/hold'] } };
    assert.equal(lingerReason([held], at(60)), `${text}, kept by example.org/hold`);
  });
});

describe('status of the lifecycle', () => {
  const input = { opSeq: 2, generation: 1, newest: 9, now: '2026-01-02T00:00:00Z' };
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
  it('M5: an older operation that ends after a refusal takes neither generation nor refusal back', () => {
    const no = { type: 'Accepted', status: 'False', reason: 'SpecInvalid', message: 'no' } as const;
    const yes = { type: 'Accepted', status: 'True', reason: 'Valid', message: 'yes' } as const;
    const refused = mergeStatus({}, { observedGeneration: 5, conditions: [no] }, { ...input, generation: 5 });
    assert.ok(refused);
    const patch = { observedGeneration: 4, acceptedGeneration: 4, conditions: [yes] };
    const ended = mergeStatus(refused, patch, { ...input, generation: 4 });
    assert.deepEqual([ended?.observedGeneration, ended?.acceptedGeneration], [5, 4]);
    assert.equal(ended?.conditions?.[0]?.status, 'False');
    const mended = mergeStatus(refused, { ...patch, observedGeneration: 6 }, { ...input, generation: 6 });
    assert.equal(mended?.conditions?.[0]?.status, 'True');
  });
  it('M5: after a restore of etcd no generation is said that the resource does not have', () => {
    const restored = mergeStatus({ observedGeneration: 7 }, { observedGeneration: 3 }, { ...input, newest: 3 });
    assert.equal(restored?.observedGeneration, 3);
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
