/**
 * What Temporal knows about an operation's workflow, and the retry that a person may request of a pipeline's entity.
 */
import {
  Client,
  Connection,
  isGrpcServiceError,
  ServiceError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { Operation } from '../../client/wire.ts';
import { assertNever, mr, problemOf, type MillraceError } from '../../model/errors.ts';
import { entityWorkflowId, workflowUrl } from '../../model/workflow-ids.ts';
import { temporalConnection } from '../process/temporal.ts';
import type { TemporalConfig } from './config.ts';

export interface EntityName {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export type OperationRun = Pick<Operation, 'state' | 'attempt' | 'message' | 'startedAt' | 'finishedAt' | 'url'>;

export interface OperationRuns {
  /** Null when Temporal does not know the workflow (any more). */
  describe(workflowId: string): Promise<OperationRun | null>;
  /**
   * Makes the entity retry what failed, without a new generation. The same `requestId` twice is one request. Throws
   * MR_RETRY_REFUSED with the reason.
   */
  retry(pipeline: EntityName, requestId: string): Promise<void>;
  isReachable(): Promise<boolean>;
  close(): Promise<void>;
}

/** Connects at the first call, so that the API starts and serves what it can while Temporal is down. Throws MR_ACCESS_INVALID. */
export function temporalRuns(config: TemporalConfig): OperationRuns {
  const connection = Connection.lazy(temporalConnection(config));
  const client = new Client({ connection, namespace: config.namespace });
  return {
    async describe(workflowId) {
      try {
        return await connection.withDeadline(Date.now() + 3_000, () => describeRun(client, config, workflowId));
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return null;
        throw asUnavailable(error, config);
      }
    },
    async retry(pipeline, requestId) {
      try {
        await connection.withDeadline(Date.now() + 10_000, () => askToRetry(client, pipeline, requestId));
      } catch (error) {
        throw asRefusal(error, pipeline) ?? asUnavailable(error, config);
      }
    },
    async isReachable() {
      try {
        await connection.withDeadline(Date.now() + 1_000, () => connection.workflowService.getSystemInfo({}));
        return true;
      } catch (error) {
        if (!(error instanceof ServiceError) && !isGrpcServiceError(error)) throw error;
        // Whatever the reason, Temporal is unreachable; a request that needs it reports why.
        return false;
      }
    },
    close: () => connection.close(),
  };
}

async function askToRetry(client: Client, { namespace, name, uid }: EntityName, requestId: string): Promise<void> {
  const handle = client.workflow.getHandle(entityWorkflowId(namespace, name, uid));
  await handle.executeUpdate('retryNow', { args: [{ requestId }], updateId: requestId });
}

/** The refusal of the entity, or that there is no entity; undefined for any other error. */
function asRefusal(error: unknown, { namespace, name }: EntityName): MillraceError | undefined {
  const refuse = (problem: string) => mr('MR_RETRY_REFUSED', { namespace, name, problem }, { cause: error });
  if (error instanceof WorkflowUpdateFailedError) return refuse(problemOf(error.cause ?? error));
  return error instanceof WorkflowNotFoundError ? refuse('Temporal runs no workflow of it') : undefined;
}

function asUnavailable(error: unknown, { address }: TemporalConfig): unknown {
  const isSilent = error instanceof ServiceError || error instanceof WorkflowUpdateRPCTimeoutOrCancelledError;
  return isSilent ? mr('MR_ENGINE_UNAVAILABLE', { address }, { cause: error }) : error;
}

async function describeRun(client: Client, config: TemporalConfig, workflowId: string): Promise<OperationRun> {
  const handle = client.workflow.getHandle(workflowId);
  const run = await handle.describe();
  const common = {
    startedAt: run.startTime.toISOString(),
    ...(run.closeTime ? { finishedAt: run.closeTime.toISOString() } : {}),
    ...(config.uiUrl === undefined
      ? {}
      : { url: workflowUrl({ ...config, uiUrl: config.uiUrl }, workflowId, run.runId) }),
  };
  switch (run.status.name) {
    case 'RUNNING':
    case 'PAUSED':
    case 'CONTINUED_AS_NEW':
      return { state: 'Running', ...common, ...pending(run.raw.pendingActivities ?? []) };
    case 'COMPLETED':
      return { state: 'Succeeded', ...common };
    case 'CANCELLED':
    case 'TERMINATED':
      return { state: 'Cancelled', ...common, message: 'another change took its place, or someone ended it' };
    case 'FAILED':
    case 'TIMED_OUT':
      return { state: 'Failed', ...common, message: await failureOf(handle.result()) };
    case 'UNSPECIFIED':
    case 'UNKNOWN':
      return { state: 'Running', ...common };
    default:
      return assertNever(run.status.name);
  }
}

interface PendingActivity {
  readonly attempt?: number | null;
  readonly lastFailure?: { readonly message?: string | null } | null;
}

/** Attempt and last failure of the activity that is being retried, if any. */
function pending(activities: readonly PendingActivity[]): Pick<OperationRun, 'attempt' | 'message'> {
  const retried = activities.find((activity) => (activity.attempt ?? 1) > 1) ?? activities[0];
  if (!retried) return {};
  const message = retried.lastFailure?.message ?? undefined;
  return {
    ...(retried.attempt == null ? {} : { attempt: retried.attempt }),
    ...(message === undefined ? {} : { message }),
  };
}

/** The innermost cause; the outer ones only say that a workflow and an activity failed. */
async function failureOf(result: Promise<unknown>): Promise<string> {
  try {
    await result;
    return 'it failed';
  } catch (error) {
    let cause: unknown = error instanceof WorkflowFailedError ? error.cause : error;
    while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
    return problemOf(cause);
  }
}
