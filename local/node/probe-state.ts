/**
 * What a series of probe results means. Pure.
 *
 * B1  The verdict changes after `successThreshold` successes or `failureThreshold` failures in a row, not before.
 * B2  Until then readiness is `failure`, liveness `success`, startup `unknown`.
 */
import type { Probe } from './pod.ts';

export type ProbeKind = 'liveness' | 'readiness' | 'startup';
export type Verdict = 'success' | 'failure' | 'unknown';

export interface ProbeState {
  readonly verdict: Verdict;
  readonly inARow: number;
  readonly last: 'success' | 'failure' | undefined;
}

/** B2. */
export function initialProbeState(kind: ProbeKind): ProbeState {
  const verdict = { liveness: 'success', readiness: 'failure', startup: 'unknown' } as const;
  return { verdict: verdict[kind], inARow: 0, last: undefined };
}

/** B1. */
export function afterResult(state: ProbeState, result: 'success' | 'failure', probe: Probe): ProbeState {
  const inARow = state.last === result ? state.inARow + 1 : 1;
  const threshold = result === 'success' ? probe.successThreshold : probe.failureThreshold;
  return { verdict: inARow >= threshold ? result : state.verdict, inARow, last: result };
}
