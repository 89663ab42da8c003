/**
 * The Temporal workers of a lifecycle process, one per task queue: the queue of its own cluster and, in one cluster,
 * the queue `pipelines` for programs, on which entities of v0.1 may still run.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  DefaultLogger,
  Worker,
  type ActivityInterceptorsFactory,
  type NativeConnection,
  type WorkerOptions,
} from '@temporalio/worker';
import { beating } from '../../activities/beat.ts';
import { createActivities, type ActivityDependencies } from '../../activities/index.ts';
import { doorTaskQueue, taskQueueOf, workflowUrl } from '../../model/workflow-ids.ts';
import { workflowBundle } from './bundle.ts';
import type { LifecycleConfig } from './config.ts';
import { podAccessFrom } from './pod-access.ts';

const activitySlots = 50;
const workflowTaskSlots = 20;
/** Idle entities are replayed from a few events, so a small cache costs little. */
const cachedWorkflows = 200;

export type WorkerParts = Pick<ActivityDependencies, 'kube' | 'cluster' | 'streams' | 'log'> & {
  readonly connection: NativeConnection;
  /** Whether this cluster serves the queue for programs (`./door.ts`). */
  readonly servesDoor: boolean;
  /** Runs around every activity, outermost first. */
  readonly around: readonly ActivityInterceptorsFactory[];
};

export async function createWorkers(config: LifecycleConfig, parts: WorkerParts): Promise<readonly Worker[]> {
  const { kube, cluster, streams, log } = parts;
  const { namespace, uiUrl } = config.temporal;
  const activities = createActivities({
    ...{ kube, cluster, streams, log },
    clock: { now: () => Date.now(), sleep: (ms, signal) => delay(ms, undefined, { signal }) },
    image: config.image,
    natsUrl: config.podNatsUrl,
    podAccess: podAccessFrom(config.podAccess),
    streamReplicas: config.streamReplicas,
    pollMs: 500,
    workflowUrl: uiUrl === undefined ? undefined : (id, runId) => workflowUrl({ uiUrl, namespace }, id, runId),
  });
  const codePath = config.bundlePath ?? (await workflowBundle(new DefaultLogger('WARN')));
  const create = (taskQueue: string) =>
    Worker.create({
      connection: parts.connection,
      namespace,
      taskQueue,
      workflowBundle: { codePath },
      activities: { ...activities },
      interceptors: { activity: [...parts.around, beat] },
      maxCachedWorkflows: cachedWorkflows,
      maxConcurrentActivityTaskExecutions: activitySlots,
      maxConcurrentWorkflowTaskExecutions: workflowTaskSlots,
      // Cancellation reaches an activity with the answer to a heartbeat: this limits how long a deletion waits.
      maxHeartbeatThrottleInterval: '1s',
      shutdownGraceTime: '10s',
      shutdownForceTime: '20s',
      ...versioning(config),
    });
  const own = await create(taskQueueOf(cluster));
  return parts.servesDoor ? [own, await create(doorTaskQueue)] : [own];
}

/** Runs them until `stop` resolves. When one fails, all are stopped and its error is thrown. */
export async function runWorkers(workers: readonly Worker[], stop: Promise<unknown>): Promise<void> {
  const failure = Promise.withResolvers<undefined>();
  const until = Promise.race([stop, failure.promise]);
  const runs = workers.map((worker) =>
    worker.runUntil(until).catch((error: unknown) => {
      failure.resolve(undefined);
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(runs)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

function versioning({ buildId }: LifecycleConfig): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  if (buildId === undefined) return {};
  return {
    workerDeploymentOptions: {
      version: { deploymentName: 'millrace-lifecycle', buildId },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'AUTO_UPGRADE',
    },
  };
}

/** Sends heartbeats for every activity. */
const beat: ActivityInterceptorsFactory = () => ({
  inbound: { execute: (input, next) => beating(() => next(input)) },
});
