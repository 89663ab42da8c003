/** Signals, updates and queries of the entity workflow: what may be said to a pipeline, and asked of it. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Drift, Readiness, RetryRequest, Told } from '../model/lifecycle.ts';
import type { NextStep } from './planner.ts';
import type { FinishedOperation, PipelineState, RunningOperation } from './state.ts';

/** The resource changed, or is not where it should be: look at it. */
export const specChanged = defineSignal<[Told]>('specChanged');

/** A Secret or ConfigMap that the spec refers to changed: converge once more. */
export const credentialsChanged = defineSignal('credentialsChanged');

/** To an operation: a Secret or ConfigMap that the spec refers to changed; a step that waits for one looks at once. */
export const referencedChanged = defineSignal('referencedChanged');

/** Somebody else has changed or deleted what the lifecycle made. */
export const driftDetected = defineSignal<[Drift]>('driftDetected');

/** The pipeline is ready, or no longer, and that has lasted: shown, and nothing else. */
export const readinessChanged = defineSignal<[Readiness]>('readinessChanged');

/** The same as the update {@link retryNow}, from who needs no answer, and while no worker is up. */
export const retryRequested = defineSignal<[RetryRequest]>('retryRequested');

/** Start the next run of the entity as soon as it is idle, with the same state. */
export const forceContinueAsNew = defineSignal('forceContinueAsNew');

/** Try again what failed, without a new generation. Refused while an operation runs or when nothing failed. */
export const retryNow = defineUpdate<{ readonly accepted: true }, [RetryRequest]>('retryNow');

export const stateQuery = defineQuery<PipelineState>('state');
/** What happens next, and why. */
export const planQuery = defineQuery<NextStep>('plan');
export const operationsQuery = defineQuery<{
  readonly running: RunningOperation | null;
  readonly finished: readonly FinishedOperation[];
}>('operations');
