/**
 * The entity of one pipeline: holds the wanted state, asks the planner, runs one operation at a time.
 *
 * Y1  `planNext` decides; operations and activities act. The entity does neither.
 * Y2  Idle means waiting for a message: no timer, no poll, no event.
 * Y3  It continues as new only while neither an operation nor a handler runs.
 * Y4  A failed operation never fails the entity.
 * Y5  A preempted operation is waited for, up to a limit: one that no worker serves any more must not hold up a
 *     deletion. Its late writes are fenced by its sequence.
 * Y6  A run that started under v0.1, or on the task queue that all clusters share, continues in a new run as soon as no
 *     operation is open.
 * Y7  A person's decision is carried out at once, beside any running operation, which may be waiting for it.
 */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  metricMeter,
  patched,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { assertNever } from '../model/errors.ts';
import type { PipelineRef, RetryRequest } from '../model/lifecycle.ts';
import { doorTaskQueue, taskQueueOf } from '../model/workflow-ids.ts';
import { run } from './activities.ts';
import { failureOf } from './failure.ts';
import {
  credentialsChanged,
  driftDetected,
  forceContinueAsNew,
  operationsQuery,
  planQuery,
  readinessChanged,
  retryNow,
  retryRequested,
  specChanged,
  stateQuery,
} from './messages.ts';
import { planNext } from './planner.ts';
import { runChild } from './run-child.ts';
import {
  begin,
  decided,
  finish,
  migrate,
  noteGone,
  newestRead,
  newState,
  noteDrift,
  noteReadiness,
  preempt,
  refuse,
  request,
  noteSpec,
  noteWanted,
  wantAgain,
  type EarlierState,
  type Operation,
  type Outcome,
  type PipelineState,
  type StateVersion,
} from './state.ts';
import { goesOn } from './versioning.ts';
import { publish, sayFailed, sayRefused } from './publish.ts';

export interface EntityInput {
  readonly pipeline: PipelineRef;
  /** State of the previous run. */
  readonly state?: PipelineState | EarlierState;
  /** How long to wait for a preempted operation to end. Default {@link abandonAfterMs}. */
  readonly abandonAfterMs?: number;
}

/** Marks runs that started under version 2 of the rules (`./state.ts`). */
const rules2 = 'entity-2';

/**
 * A cancelled activity ends within seconds, or when a heartbeat is missed if its worker was killed, and at the latest
 * at its time-out of two minutes at most (`./activities.ts`). An operation that has not ended after three minutes has
 * no worker.
 */
const abandonAfterMs = 180_000;

/** Well before Temporal suggests it: the history of an entity should be short enough to read. */
const rollOverAtEvents = 500;

/** Not counted again on replay. */
const operations = metricMeter.createCounter('millrace_operations', '1', 'Ended operations by type and outcome.');

export async function pipelineLifecycle(input: EntityInput): Promise<void> {
  const version: StateVersion = patched(rules2) ? 2 : 1;
  const { pipeline, state } = input;
  const entity = new Entity(state === undefined ? newState(pipeline, version) : migrate(state, version), input);
  entity.listen();
  await entity.live();
}

class Entity {
  #state: PipelineState;
  readonly #input: EntityInput;
  #rollOverAsked = false;

  constructor(state: PipelineState, input: EntityInput) {
    this.#state = state;
    this.#input = input;
  }

  /** Handlers are registered before the first await: an earlier message would be refused. */
  listen(): void {
    setHandler(specChanged, (change) => void (this.#state = noteWanted(this.#state, change)), {
      description: 'The resource changed, or is not where it should be; look at it.',
    });
    setHandler(credentialsChanged, () => void (this.#state = wantAgain(this.#state)), {
      description: 'A Secret or ConfigMap that the spec refers to changed; converge once more.',
    });
    setHandler(driftDetected, ({ what }) => void (this.#state = noteDrift(this.#state, what)), {
      description: 'Somebody else has changed what the lifecycle made; restore it.',
    });
    setHandler(
      readinessChanged,
      (readiness) => {
        this.#state = noteReadiness(this.#state, readiness);
        if (this.#state.running === null) publish(this.#state);
      },
      { description: 'The pipeline is ready, or no longer; shown, and nothing else.' },
    );
    setHandler(retryRequested, ({ requestId }) => void (this.#state = request(this.#state, requestId)), {
      description: 'Try again what failed or was refused.',
    });
    setHandler(forceContinueAsNew, () => void (this.#rollOverAsked = true), {
      description: 'Start the next run as soon as the pipeline is idle.',
    });
    setHandler(
      retryNow,
      ({ requestId }) => {
        this.#state = request(this.#state, requestId);
        return { accepted: true };
      },
      {
        description: 'Try again what failed.',
        validator: ({ requestId }: RetryRequest) => this.#checkRetry(requestId),
      },
    );
    setHandler(stateQuery, () => this.#state, { description: 'What is remembered of the pipeline.' });
    setHandler(planQuery, () => planNext(this.#state), { description: 'What happens next.' });
    setHandler(operationsQuery, () => ({ running: this.#state.running, finished: this.#state.history }), {
      description: 'The running and the last twenty operations.',
    });
  }

  async live(): Promise<void> {
    const deciding = new CancellationScope();
    deciding.run(() => this.#decide()).catch(throwUnlessCancelled);
    try {
      await this.#work();
    } finally {
      deciding.cancel();
    }
  }

  /** Y7. */
  async #decide(): Promise<void> {
    for (;;) {
      await condition(() => this.#state.wanted.decision !== undefined && newestRead(this.#state) !== null);
      const { pipeline, lastSeq: opSeq, wanted } = this.#state;
      const { decision = '' } = wanted;
      try {
        await run('takeDecision', `carry out the decision ${decision}`, { pipeline, opSeq });
        this.#state = decided(this.#state, decision);
      } catch (error) {
        if (isCancellation(error)) throw error;
        // Another operation has written meanwhile; the decision is carried out once this entity has read that.
        log.warn(`decision ${decision} waits: ${failureOf(error).message}`);
        await condition(() => this.#state.lastSeq > opSeq || this.#state.wanted.decision !== decision);
      }
    }
  }

  async #work(): Promise<void> {
    for (;;) {
      const next = planNext(this.#state);
      if (next.do !== 'end' && this.#isOutdated()) await this.#rollOver();
      switch (next.do) {
        case 'look':
          await this.#look();
          break;
        case 'start':
          await this.#operate(next.operation);
          break;
        case 'end':
          await condition(allHandlersFinished);
          return;
        case 'preempt':
        case 'rest':
          await this.#rest();
          break;
        default:
          assertNever(next);
      }
    }
  }

  #checkRetry(requestId: string): void {
    if (this.#state.requests.includes(requestId)) return;
    if (requestId === '') throw ApplicationFailure.nonRetryable('requestId must not be empty', 'RequestIdMissing');
    if (this.#state.running !== null) {
      throw ApplicationFailure.nonRetryable(
        `${this.#state.running.kind} is running and retries by itself`,
        'OperationRunning',
      );
    }
    const { failure, refused } = this.#state;
    if (failure === null && refused === null)
      throw ApplicationFailure.nonRetryable('nothing has failed', 'NothingFailed');
  }

  /** Reads the resource. An invalid spec or a missing resource is an answer, not a failure. */
  async #look(): Promise<void> {
    const { pipeline, wanted } = this.#state;
    const told = wanted.generation;
    try {
      const spec = await run('fetchSpec', `read the spec (g${told})`, { pipeline });
      this.#state = noteSpec(this.#state, spec, told);
    } catch (error) {
      if (isCancellation(error)) throw error;
      const failure = failureOf(error);
      if (failure.code === 'MR_PIPELINE_REPLACED') {
        this.#state = noteGone(this.#state);
        return;
      }
      this.#state = refuse(this.#state, failure, told, new Date().toISOString());
      await sayRefused(this.#state);
      publish(this.#state);
    }
  }

  async #operate(operation: Operation): Promise<void> {
    this.#state = begin(this.#state, operation, new Date().toISOString());
    publish(this.#state);
    const scope = new CancellationScope();
    const child = { isOpen: true };
    const end = (outcome: Outcome) => {
      // The end of an abandoned operation no longer matters.
      if (!child.isOpen) return;
      child.isOpen = false;
      this.#state = finish(this.#state, outcome, new Date().toISOString());
      operations.add(1, { type: operation.kind, outcome: outcome.is });
    };
    const ended = scope.run(() => runChild(this.#state, operation)).then(end);
    await this.#watch(scope, child);
    if (child.isOpen) end({ is: 'abandoned' });
    else await ended;
    const { failure, refused, version } = this.#state;
    if (failure !== null && (refused === null || version === 2)) await sayFailed(this.#state, failure);
    if (refused !== null) await sayRefused(this.#state);
    publish(this.#state);
  }

  /**
   * Reads messages while an operation runs: a deletion or a pause must not wait for it. Returns when the operation has
   * ended, or was preempted and does not end in time (Y5).
   */
  async #watch(scope: CancellationScope, child: { isOpen: boolean }): Promise<void> {
    for (;;) {
      await condition(() => !child.isOpen || planNext(this.#state).do !== 'rest');
      if (!child.isOpen) return;
      const next = planNext(this.#state);
      if (next.do === 'look') await this.#look();
      if (next.do === 'preempt') {
        this.#state = preempt(this.#state);
        scope.cancel();
        if (this.#state.version === 1) continue;
        await condition(() => !child.isOpen, this.#input.abandonAfterMs ?? abandonAfterMs);
        return;
      }
    }
  }

  async #rest(): Promise<void> {
    // Handlers may have added work, which goes before the roll-over.
    if (this.#mustRollOver() && planNext(this.#state).do === 'rest') await this.#rollOver();
    await condition(() => planNext(this.#state).do !== 'rest' || this.#mustRollOver());
  }

  #mustRollOver(): boolean {
    const { historyLength, continueAsNewSuggested } = workflowInfo();
    return this.#rollOverAsked || continueAsNewSuggested || historyLength > rollOverAtEvents;
  }

  /** Y6. Evaluated each time: during the replay of a v0.1 run the answer is no, until the run is live. */
  #isOutdated(): boolean {
    if (this.#state.version === 1) return patched(rules2);
    return this.#clusterQueue() !== undefined;
  }

  /** Undefined: the run is on its cluster's queue already, or does not know its cluster. */
  #clusterQueue(): string | undefined {
    const { cluster } = this.#state.pipeline;
    if (cluster === undefined || workflowInfo().taskQueue !== doorTaskQueue) return undefined;
    return taskQueueOf(cluster);
  }

  async #rollOver(): Promise<void> {
    await condition(allHandlersFinished);
    const taskQueue = this.#clusterQueue();
    const next = makeContinueAsNewFunc<typeof pipelineLifecycle>(taskQueue === undefined ? {} : { taskQueue });
    await next({ ...this.#input, pipeline: this.#state.pipeline, state: this.#state });
  }
}

function throwUnlessCancelled(error: unknown): void {
  if (!isCancellation(error)) throw error;
}

goesOn('AUTO_UPGRADE', pipelineLifecycle);
