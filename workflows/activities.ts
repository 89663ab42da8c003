/**
 * The activities as workflows call them: each with a sentence for Temporal UI, and with time-outs and retries that fit
 * it.
 *
 * Whatever can be repaired without a change of the spec is retried indefinitely at a limited rate, while the activity
 * shows the reason in the pipeline's status. A newer generation, a pause or a deletion ends the retries.
 */
import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  patched,
  scheduleActivity,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { LifecycleActivities } from '../model/lifecycle.ts';

/** Requests that answer at once. */
const call: ActivityOptions = {
  // A preempted operation ends after its activities have ended: no late write may meet the next operation.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  // Longer than a request to the API server can last (`kubernetes/transport.ts`), so that none outlives its attempt.
  startToCloseTimeout: '1m',
  // The worker sends a heartbeat for every activity: a killed worker is noticed after this time.
  heartbeatTimeout: '10s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
};

/**
 * Waits until a person creates a Secret. The controller signals that; without a signal, it is noticed within a minute.
 */
const person: ActivityOptions = {
  ...call,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
};

/**
 * Polls often for half a minute, then from time to time (`activities/wait.ts`). Its heartbeat reports progress and
 * receives cancellation.
 */
const wait: ActivityOptions = {
  ...call,
  startToCloseTimeout: '2m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '15s' },
};

type Name = keyof LifecycleActivities;

export const pace: Readonly<Record<Name, ActivityOptions>> = {
  fetchSpec: call,
  locatePipeline: call,
  writeStatus: call,
  takeDecision: call,
  ensureNamespace: call,
  copyCredentials: person,
  applyPlan: call,
  takeBackPlan: call,
  ensureStreams: call,
  announcePlan: wait,
  waitRetired: wait,
  retireStages: call,
  applyStage: call,
  waitStage: wait,
  recordRevision: call,
  listStages: call,
  scaleStage: call,
  waitStageGone: wait,
  waitDrained: wait,
  pruneStages: call,
  deleteStreams: call,
  forgetLeases: call,
  deleteNamespace: call,
  waitNamespaceGone: wait,
  releaseObjects: call,
  removeFinalizer: call,
  writePipeline: call,
  waitPipelineReady: wait,
  removePipeline: call,
  waitPipelineGone: wait,
};

/**
 * Runs an activity; Temporal UI shows the sentence.
 *
 * An attempt that fails just when its cancellation was asked for is not retried, and the server reports its failure instead
 * of the cancellation. It counts as cancelled: a wait for a Secret had ended as a failed operation because the Secret
 * changed during an attempt.
 */
export async function run<K extends Name>(
  name: K,
  summary: string,
  input: Parameters<LifecycleActivities[K]>[0],
): Promise<Awaited<ReturnType<LifecycleActivities[K]>>> {
  try {
    return await scheduleActivity<Awaited<ReturnType<LifecycleActivities[K]>>>(name, [input], {
      ...pace[name],
      summary,
    });
  } catch (error) {
    if (endedByCancellation(error) && patched('cancelled-while-failing'))
      throw new CancelledFailure(`${name} was cancelled during a failing attempt`, [], error);
    throw error;
  }
}

/** What would have been retried; a refusal stays one. */
function endedByCancellation(error: unknown): error is ActivityFailure {
  if (!(error instanceof ActivityFailure) || error.retryState !== 'CANCEL_REQUESTED') return false;
  return !(error.cause instanceof ApplicationFailure && error.cause.nonRetryable === true);
}
