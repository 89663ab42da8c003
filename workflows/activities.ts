/**
 * The activities as workflows call them: with a sentence that a person reads in Temporal UI, and with the time-outs and
 * retries that fit what they do.
 *
 * Everything that can be repaired outside the spec is retried for ever at a bounded pace; the activity shows why in the
 * pipeline's status meanwhile. A newer generation, a pause or a deletion ends the waiting.
 */
import { ActivityCancellationType, scheduleActivity, type ActivityOptions } from '@temporalio/workflow';
import type { LifecycleActivities } from '../model/lifecycle.ts';

/** Requests that answer at once. */
const call: ActivityOptions = {
  // An operation that is preempted ends when its activities have ended: the next one must not meet a late write.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  // Longer than a request to the API server can last (`kubernetes/transport.ts`), so that none outlives its attempt.
  startToCloseTimeout: '1m',
  // The worker beats for every activity: one that was killed is missed after this time.
  heartbeatTimeout: '10s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
};

/** Waiting for a person to make a Secret: the controller tells when they did; where it does not, it is seen within a minute. */
const person: ActivityOptions = {
  ...call,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
};

/**
 * Follows what it waits for closely for half a minute, and then looks from time to time (`activities/wait.ts`). Its
 * heartbeat tells how far it is, and brings cancellation.
 */
const wait: ActivityOptions = {
  ...call,
  startToCloseTimeout: '2m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '15s' },
};

type Name = keyof LifecycleActivities;

const pace: Readonly<Record<Name, ActivityOptions>> = {
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

/** Runs an activity under a sentence. */
export function run<K extends Name>(
  name: K,
  summary: string,
  input: Parameters<LifecycleActivities[K]>[0],
): Promise<Awaited<ReturnType<LifecycleActivities[K]>>> {
  return scheduleActivity(name, [input], { ...pace[name], summary });
}
