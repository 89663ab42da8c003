/**
 * Runs an activity as a step of an operation: what it does, and why it is stuck, is shown in the pipeline's status.
 *
 * Temporal does not tell a workflow that its activity is being retried, so the activity itself writes
 * `status.operation`: the step, the attempt and the last error. That adds no event to any history.
 *
 * S1  A step of a teardown is retried whatever refuses it, indefinitely and visibly: there is no newer generation to
 *     wait for. It ends only when it is fenced.
 * S2  What keeps a step for a while is also a Warning Event, one for each operation and reason: `kubectl describe` shows it
 *     beside the conditions, and later, when the condition has gone.
 */
import { Context } from '@temporalio/activity';
import { assertNever, mr, problemOf, type MillraceError } from '../model/errors.ts';
import type { OperationRef, StatusPatch, StepInput } from '../model/lifecycle.ts';
import { claim, claimBecause } from '../model/conditions.ts';
import { operationTable } from '../model/operations.ts';
import type { Json } from '../model/value.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { classify, isRetried, StillWaiting, toFailure } from './failures.ts';
import { tellEvent } from './status/event.ts';
import { updateStatus } from './status/write.ts';
import { follow } from './wait.ts';

export type Look<T> =
  | { readonly is: 'done'; readonly value: T }
  /** `problem`: what a person should know if it lasts. */
  | { readonly is: 'waiting'; readonly progress: Json; readonly problem?: MillraceError | undefined };

/** A problem is shown once it has lasted this long: pods that are starting are not worth a message. */
const patienceMs = 3_000;
const repeatMs = 15_000;
/** S2. A drain of a backlog takes seconds without anything being wrong; an outage counts from then on, too. */
const lastingMs = 30_000;
/** S2. The third attempt comes three seconds after the first. */
const lastingAttempt = 3;

/** The activity for `run`, with its step reported and its errors turned into typed failures. */
export function asStep<I extends StepInput, R>(
  deps: ActivityDependencies,
  run: (input: I) => Promise<R>,
): (input: I) => Promise<R> {
  return async (input) => {
    const { info, cancellationSignal } = Context.current();
    const report = new StepReport(deps, input);
    if (info.attempt === 1) await report.begin();
    try {
      const result = await run(input);
      if (info.attempt > 1) await report.recovered();
      return result;
    } catch (error) {
      cancellationSignal.throwIfAborted();
      const known = classify(error);
      if (isRetried(known, input.op.kind)) {
        await report.problem(known, info.attempt);
        if (info.attempt >= lastingAttempt) await report.warn(known);
      }
      const about = { step: input.step, operation: input.op.id, attempt: info.attempt, code: known.code };
      if (error instanceof StillWaiting) deps.log.debug(about, known.sentence);
      else deps.log.warn(about, known.sentence);
      throw toFailure(error, input.op.kind);
    }
  };
}

/** Checks repeatedly until done (`./wait.ts`). */
export async function waitFor<T>(
  deps: ActivityDependencies,
  input: StepInput,
  look: () => Promise<Look<T>>,
): Promise<T> {
  const report = new StepReport(deps, input);
  const follower = follow(deps);
  const { attempt } = Context.current().info;
  let troubledSince: number | undefined;
  let reported: { readonly text: string; readonly at: number } | undefined;
  for (;;) {
    const seen = await look();
    switch (seen.is) {
      case 'done':
        if (reported !== undefined) await report.recovered();
        return seen.value;
      case 'waiting': {
        const now = deps.clock.now();
        troubledSince = seen.problem === undefined ? undefined : (troubledSince ?? now);
        const lasting = troubledSince !== undefined && now - troubledSince >= patienceMs;
        if (seen.problem !== undefined && lasting) {
          const text = seen.problem.sentence;
          const isNews = reported?.text !== text || now - reported.at >= repeatMs;
          if (isNews) {
            await report.problem(seen.problem, attempt);
            reported = { text, at: now };
            if (attempt >= lastingAttempt || now - (troubledSince ?? now) >= lastingMs) await report.warn(seen.problem);
          }
        }
        if (await follower.goOn(seen.progress)) break;
        const progress = JSON.stringify(seen.progress);
        throw new StillWaiting(seen.problem ?? mr('MR_STEP_WAITS', { step: input.step, progress }));
      }
      default:
        assertNever(seen);
    }
  }
}

/** Writes `status.operation`. It never fails the step: the next report repeats what this one says. */
class StepReport {
  readonly #deps: ActivityDependencies;
  readonly #op: OperationRef;
  readonly #step: string;

  constructor(deps: ActivityDependencies, { op, step }: StepInput) {
    this.#deps = deps;
    this.#op = op;
    this.#step = step;
  }

  async begin(): Promise<void> {
    await this.#write(() => ({ operation: this.#operation() }));
  }

  async problem(error: MillraceError, attempt: number): Promise<void> {
    await this.#write(() => ({
      operation: { ...this.#operation(), attempt, lastError: error.sentence },
      conditions: [
        claimBecause('Reconciling', 'True', { reason: error.reason, message: error.sentence }),
        claim('Stalled', 'Waiting', { why: error.sentence }),
      ],
    }));
  }

  /** S2. */
  async warn({ code, reason, sentence: note }: MillraceError): Promise<void> {
    // It says only that nothing has happened yet.
    if (code === 'MR_STEP_WAITS') return;
    const { id, kind, pipeline } = this.#op;
    await tellEvent(this.#deps, pipeline, { type: 'Warning', reason, action: kind, note }, `${id}/${reason}`);
  }

  async recovered(): Promise<void> {
    await this.#write((step) =>
      step === this.#step
        ? {
            operation: this.#operation(),
            conditions: [claim('Reconciling', operationTable[this.#op.kind].reason), claim('Stalled', 'Progressing')],
          }
        : undefined,
    );
  }

  #operation() {
    return { id: this.#op.id, type: this.#op.kind, step: this.#step, startedAt: this.#op.startedAt };
  }

  async #write(change: (step: string | undefined) => StatusPatch | undefined): Promise<void> {
    const target = { pipeline: this.#op.pipeline, opSeq: this.#op.seq, generation: this.#op.generation };
    try {
      await updateStatus(this.#deps.kube, this.#deps.clock, target, (own) => change(own.operation?.step));
    } catch (error) {
      this.#deps.log.warn({ step: this.#step, problem: problemOf(error) }, 'the step could not be told in the status');
    }
  }
}
