/**
 * The entity of one pipeline: holds what is wanted, asks the planner, runs one operation at a time.
 *
 * Y1  It decides nothing: `planNext` does. It does nothing to the world: operations and activities do.
 * Y2  Idle means waiting for a message: no timer, no poll, no event.
 * Y3  It continues as new only when idle: no child open, no handler running, nothing to do.
 * Y4  A failed operation never fails the entity.
 */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  metricMeter,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { PipelineRef } from '../model/lifecycle.ts';
import { run } from './activities.ts';
import { failureOf } from './failure.ts';
import {
  credentialsChanged,
  driftDetected,
  forceContinueAsNew,
  operationsQuery,
  planQuery,
  retryNow,
  specChanged,
  stateQuery,
  type RetryNowInput,
} from './messages.ts';
import { planNext } from './planner.ts';
import { runChild } from './run-child.ts';
import {
  begin,
  finish,
  migrate,
  newState,
  noteDrift,
  preempt,
  refuse,
  request,
  see,
  want,
  wantAgain,
  type Operation,
  type PipelineState,
} from './state.ts';
import { goesOn } from './versioning.ts';
import { publish, sayFailed, sayRefused } from './publish.ts';

export interface EntityInput {
  readonly pipeline: PipelineRef;
  /** State of the run before. */
  readonly state?: PipelineState;
}

/** Roll over well before Temporal suggests it: the history of an entity should be short enough to read. */
const rollOverAtEvents = 500;

/** Not counted again on replay. */
const operations = metricMeter.createCounter('millrace_operations', '1', 'Ended operations by type and outcome.');

export async function pipelineLifecycle(input: EntityInput): Promise<void> {
  const entity = new Entity(input.state === undefined ? newState(input.pipeline) : migrate(input.state));
  entity.listen();
  await entity.live();
}

class Entity {
  #state: PipelineState;
  #rollOverAsked = false;

  constructor(state: PipelineState) {
    this.#state = state;
  }

  /** Handlers are set before anything is awaited: a message that arrives earlier would be refused. */
  listen(): void {
    setHandler(specChanged, (change) => void (this.#state = want(this.#state, change)), {
      description: 'The resource changed; look at it.',
    });
    setHandler(credentialsChanged, () => void (this.#state = wantAgain(this.#state)), {
      description: 'A Secret or ConfigMap that the spec refers to changed; converge once more.',
    });
    setHandler(driftDetected, ({ what }) => void (this.#state = noteDrift(this.#state, what)), {
      description: 'Somebody else has changed what the lifecycle made; restore it.',
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
        validator: ({ requestId }: RetryNowInput) => this.#checkRetry(requestId),
      },
    );
    setHandler(stateQuery, () => this.#state, { description: 'What is remembered of the pipeline.' });
    setHandler(planQuery, () => planNext(this.#state), { description: 'What happens next.' });
    setHandler(operationsQuery, () => ({ running: this.#state.running, finished: this.#state.history }), {
      description: 'The running and the last twenty operations.',
    });
  }

  async live(): Promise<void> {
    for (;;) {
      const next = planNext(this.#state);
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
    if (this.#state.failure === null) throw ApplicationFailure.nonRetryable('nothing has failed', 'NothingFailed');
  }

  /** Reads the resource. What it says may be a reason to stop: a spec that is not valid, a resource that is gone. */
  async #look(): Promise<void> {
    const { pipeline, wanted } = this.#state;
    try {
      const spec = await run('fetchSpec', `read the spec (g${wanted.generation})`, { pipeline });
      this.#state = see(this.#state, spec);
    } catch (error) {
      if (isCancellation(error)) throw error;
      const failure = failureOf(error);
      if (failure.code === 'MR_PIPELINE_REPLACED') {
        this.#state = want(this.#state, { generation: 0, deleting: true });
        return;
      }
      const at = new Date().toISOString();
      this.#state = refuse(this.#state, { ...failure, operation: 'read', generation: wanted.generation, at });
      await sayRefused(this.#state);
      publish(this.#state);
    }
  }

  async #operate(operation: Operation): Promise<void> {
    this.#state = begin(this.#state, operation, new Date().toISOString());
    publish(this.#state);
    const scope = new CancellationScope();
    const child = { isOpen: true };
    const ended = scope
      .run(() => runChild(this.#state, operation))
      .then((outcome) => {
        child.isOpen = false;
        this.#state = finish(this.#state, outcome, new Date().toISOString());
        operations.add(1, { type: operation.kind, outcome: outcome.is });
      });
    await this.#watch(scope, child);
    await ended;
    const { failure } = this.#state;
    if (failure?.operation === 'read') await sayRefused(this.#state);
    else if (failure !== null) await sayFailed(this.#state, failure);
    publish(this.#state);
  }

  /** While an operation runs, messages are still read: a deletion or a pause must not wait for it. */
  async #watch(scope: CancellationScope, child: { isOpen: boolean }): Promise<void> {
    for (;;) {
      await condition(() => !child.isOpen || planNext(this.#state).do !== 'rest');
      if (!child.isOpen) return;
      const next = planNext(this.#state);
      if (next.do === 'look') await this.#look();
      if (next.do === 'preempt') {
        this.#state = preempt(this.#state);
        scope.cancel();
      }
    }
  }

  async #rest(): Promise<void> {
    if (this.#mustRollOver()) {
      await condition(allHandlersFinished);
      // The handlers may have brought work: that comes first, and the roll-over after it.
      if (planNext(this.#state).do === 'rest') {
        await continueAsNew<typeof pipelineLifecycle>({ pipeline: this.#state.pipeline, state: this.#state });
      }
      return;
    }
    await condition(() => planNext(this.#state).do !== 'rest' || this.#mustRollOver());
  }

  #mustRollOver(): boolean {
    const { historyLength, continueAsNewSuggested } = workflowInfo();
    return this.#rollOverAsked || continueAsNewSuggested || historyLength > rollOverAtEvents;
  }
}

goesOn('AUTO_UPGRADE', pipelineLifecycle);
