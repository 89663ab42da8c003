/** Signals, updates and queries of the entity workflow: what may be said to a pipeline, and asked of it. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { NextStep } from './planner.ts';
import type { FinishedOperation, PipelineState, RunningOperation } from './state.ts';

/** The resource changed: look at it. Carries no spec; repeating it is harmless. */
export const specChanged = defineSignal<[{ readonly generation: number; readonly deleting: boolean }]>('specChanged');

/** A Secret or ConfigMap that the spec refers to changed: converge once more. */
export const credentialsChanged = defineSignal('credentialsChanged');

/** Somebody else has changed or deleted what the lifecycle made; `what` is a sentence. */
export const driftDetected = defineSignal<[{ readonly what: string }]>('driftDetected');

/** Start the next run of the entity as soon as it is idle, with the same state. */
export const forceContinueAsNew = defineSignal('forceContinueAsNew');

export interface RetryNowInput {
  /** The same id twice is one request. */
  readonly requestId: string;
}

/** Try again what failed, without a new generation. Refused while an operation runs or when nothing failed. */
export const retryNow = defineUpdate<{ readonly accepted: true }, [RetryNowInput]>('retryNow');

export const stateQuery = defineQuery<PipelineState>('state');
/** What happens next, and why. */
export const planQuery = defineQuery<NextStep>('plan');
export const operationsQuery = defineQuery<{
  readonly running: RunningOperation | null;
  readonly finished: readonly FinishedOperation[];
}>('operations');
