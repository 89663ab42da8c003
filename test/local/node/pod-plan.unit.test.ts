import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { delayOf, nextStreak } from '../../../local/node/backoff.ts';
import type { Run } from '../../../local/node/instance.ts';
import { planPod, type ContainerView } from '../../../local/node/pod-plan.ts';
import { afterResult, initialProbeState } from '../../../local/node/probe-state.ts';
import { firstContainer, pod } from './builders.ts';

const running: Run = { state: 'running', startedAt: 0, main: { pid: 1, startedAt: '' } };
const ended = (exitCode: number, interrupted = false): Run => ({
  state: 'ended',
  startedAt: 0,
  finishedAt: 1,
  exitCode,
  reason: '',
  interrupted,
});
const view = (name: string, run?: Run, more: Partial<ContainerView> = {}): ContainerView => ({
  name,
  run,
  isInit: false,
  notBefore: 0,
  ...more,
});
const init = (name: string, run?: Run) => view(name, run, { isInit: true });

describe('plan of a pod', () => {
  it('X1: starts the first init container alone', () => {
    deepStrictEqual(planPod([init('a'), init('b'), view('m')], 'Always', 0), {
      phase: 'Pending',
      start: ['a'],
      wakeAt: undefined,
    });
  });

  it('X1: starts the next init container when the one before succeeded', () => {
    deepStrictEqual(planPod([init('a', ended(0)), init('b'), view('m')], 'Always', 0).start, ['b']);
  });

  it('X1: starts all containers together when the init containers succeeded', () => {
    deepStrictEqual(planPod([init('a', ended(0)), view('m'), view('n')], 'Always', 0).start, ['m', 'n']);
  });

  it('X1: fails a pod whose init container failed and may not be restarted', () => {
    strictEqual(planPod([init('a', ended(1)), view('m')], 'Never', 0).phase, 'Failed');
  });

  it('X1: tries a failed init container again', () => {
    deepStrictEqual(planPod([init('a', ended(1)), view('m')], 'OnFailure', 0).start, ['a']);
  });

  it('X2: waits until the back-off is over', () => {
    const waiting = [view('m', ended(1), { notBefore: 100 })];
    deepStrictEqual(planPod(waiting, 'Always', 99), { phase: 'Running', start: [], wakeAt: 100 });
    deepStrictEqual(planPod(waiting, 'Always', 100).start, ['m']);
  });

  for (const [policy, code, restarts] of [
    ['Always', 0, true],
    ['Always', 1, true],
    ['OnFailure', 0, false],
    ['OnFailure', 1, true],
    ['Never', 1, false],
  ] as const) {
    it(`X2: ${policy} ${restarts ? 'restarts' : 'does not restart'} a container that ended with ${code}`, () => {
      strictEqual(planPod([view('m', ended(code))], policy, 0).start.length === 1, restarts);
    });
  }

  it('X3: has succeeded when all containers have, and failed when one has not', () => {
    strictEqual(planPod([view('m', ended(0)), view('n', ended(0))], 'Never', 0).phase, 'Succeeded');
    strictEqual(planPod([view('m', ended(0)), view('n', ended(2))], 'Never', 0).phase, 'Failed');
    strictEqual(planPod([view('m', ended(2)), view('n', running)], 'Never', 0).phase, 'Running');
  });

  it('X4: runs an interrupted container again unless the policy is Never', () => {
    deepStrictEqual(planPod([view('m', ended(0, true))], 'OnFailure', 0).start, ['m']);
    deepStrictEqual(planPod([view('m', ended(0, true))], 'Never', 0), {
      phase: 'Failed',
      start: [],
      wakeAt: undefined,
    });
  });

  it('is pending while a container has never started', () => {
    strictEqual(planPod([view('m', running), view('n')], 'Always', 0).phase, 'Pending');
  });
});

describe('back-off', () => {
  const backoff = { baseMs: 1_000, maxMs: 30_000, resetMs: 600_000 };

  it('does not delay the first restart, then doubles up to the longest wait', () => {
    deepStrictEqual(
      [1, 2, 3, 4, 5, 6, 7, 8, 99].map((streak) => delayOf(streak, backoff)),
      [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000],
    );
  });

  it('begins anew after a long run', () => {
    strictEqual(nextStreak(7, 599_999, backoff), 8);
    strictEqual(nextStreak(7, 600_000, backoff), 1);
  });
});

describe('probe state', () => {
  const probe = firstContainer(pod({ livenessProbe: { successThreshold: 2, failureThreshold: 3 } })).livenessProbe;
  if (!probe) throw new TypeError('the pod has a probe');
  const after = (results: string, kind: 'liveness' | 'readiness' = 'readiness') =>
    Array.from(results).reduce(
      (state, result) => afterResult(state, result === '+' ? 'success' : 'failure', probe),
      initialProbeState(kind),
    ).verdict;

  it('B1: succeeds after successThreshold successes in a row', () => {
    strictEqual(after('+'), 'failure');
    strictEqual(after('+-+'), 'failure');
    strictEqual(after('++'), 'success');
  });

  it('B1: fails after failureThreshold failures in a row', () => {
    strictEqual(after('++--'), 'success');
    strictEqual(after('++--+--'), 'success');
    strictEqual(after('++---'), 'failure');
  });

  it('B2: a container is taken to live before the first result', () => {
    strictEqual(after('', 'liveness'), 'success');
    strictEqual(after('--', 'liveness'), 'success');
  });
});
