/** Signals, updates and queries of the entity workflow. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Drift, Readiness, RetryRequest, Told } from '../model/lifecycle.ts';
import type { NextStep } from './planner.ts';
import type { FinishedOperation, PipelineState, RunningOperation } from './state.ts';

/** The resource changed or is missing: read it. */
export const specChanged = defineSignal<[Told]>('specChanged');

/** A Secret or ConfigMap that the spec refers to changed: run the steps again. */
export const credentialsChanged = defineSignal('credentialsChanged');

/** To an operation: a Secret or ConfigMap that the spec refers to changed; a step that waits for one looks again. */
export const referencedChanged = defineSignal('referencedChanged');

/** Somebody else has changed or deleted what the lifecycle created. */
export const driftDetected = defineSignal<[Drift]>('driftDetected');

/** The pipeline has become ready, or not ready, for a while. Only shown. */
export const readinessChanged = defineSignal<[Readiness]>('readinessChanged');

/** Like the update {@link retryNow}, without an answer; it can be sent while no worker runs. */
export const retryRequested = defineSignal<[RetryRequest]>('retryRequested');

/** Start the next run of the entity as soon as it is idle, with the same state. */
export const forceContinueAsNew = defineSignal('forceContinueAsNew');

/** Retry what failed, without a new generation. Refused while an operation runs or when nothing has failed. */
export const retryNow = defineUpdate<{ readonly accepted: true }, [RetryRequest]>('retryNow');

export const stateQuery = defineQuery<PipelineState>('state');
/** What happens next, and why. */
export const planQuery = defineQuery<NextStep>('plan');
export const operationsQuery = defineQuery<{
  readonly running: RunningOperation | null;
  readonly finished: readonly FinishedOperation[];
}>('operations');
