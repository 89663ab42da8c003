/**
 * Runs an activity as a step of an operation: what it does, and why it does not get on, is in the pipeline's status.
 *
 * Temporal does not tell a workflow that its activity is being retried, so the activity itself writes
 * `status.operation`: the step, the attempt and the last error. That costs no event in any history.
 */
import { Context } from '@temporalio/activity';
import { assertNever, problemOf, type MillraceError } from '../model/errors.ts';
import type { OperationRef, StatusPatch, StepInput } from '../model/lifecycle.ts';
import type { Json } from '../model/value.ts';
import { beatWith } from './beat.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { classify, isCancellation, isRetried, toFailure } from './failures.ts';
import { updateStatus } from './status/write.ts';

export interface StepContext {
  readonly signal: AbortSignal;
  readonly heartbeat: (progress: Json) => void;
}

export type Look<T> =
  | { readonly is: 'done'; readonly value: T }
  /** `problem`: what a person should know if it stays so. */
  | { readonly is: 'waiting'; readonly progress: Json; readonly problem?: MillraceError | undefined };

/** A problem is shown once it has lasted this long: pods that start are not news. */
const patienceMs = 3_000;
const repeatMs = 15_000;

/** The activity for `run`, with its step reported and its errors turned into typed failures. */
export function asStep<I extends StepInput, R>(
  deps: ActivityDependencies,
  run: (input: I, context: StepContext) => Promise<R>,
): (input: I) => Promise<R> {
  return async (input) => {
    const { info, cancellationSignal, heartbeat } = contextOf();
    const report = new StepReport(deps, input);
    if (info.attempt === 1) await report.begin();
    try {
      const result = await run(input, { signal: cancellationSignal, heartbeat });
      if (info.attempt > 1) await report.recovered();
      return result;
    } catch (error) {
      if (isCancellation(error)) throw error;
      const known = classify(error);
      if (isRetried(known)) await report.problem(known, info.attempt);
      deps.log.warn(
        { step: input.step, operation: input.op.id, attempt: info.attempt, code: known.code },
        known.sentence,
      );
      throw toFailure(error);
    }
  };
}

/** Looks again and again until done, with a heartbeat each time; ends with the activity's cancellation. */
export async function waitFor<T>(
  deps: ActivityDependencies,
  input: StepInput,
  context: StepContext,
  look: () => Promise<Look<T>>,
): Promise<T> {
  const report = new StepReport(deps, input);
  const { attempt } = contextOf().info;
  let troubledSince: number | undefined;
  let reported: { readonly text: string; readonly at: number } | undefined;
  for (;;) {
    const seen = await look();
    switch (seen.is) {
      case 'done':
        if (reported !== undefined) await report.recovered();
        return seen.value;
      case 'waiting': {
        context.heartbeat(seen.progress);
        const now = deps.clock.now();
        troubledSince = seen.problem === undefined ? undefined : (troubledSince ?? now);
        const lasting = troubledSince !== undefined && now - troubledSince >= patienceMs;
        if (seen.problem !== undefined && lasting) {
          const text = seen.problem.sentence;
          const isNews = reported?.text !== text || now - reported.at >= repeatMs;
          if (isNews) {
            await report.problem(seen.problem, attempt);
            reported = { text, at: now };
          }
        }
        await deps.clock.sleep(deps.pollMs, context.signal);
        break;
      }
      default:
        assertNever(seen);
    }
  }
}

function contextOf() {
  const context = Context.current();
  return {
    info: context.info,
    cancellationSignal: context.cancellationSignal,
    heartbeat: beatWith,
  };
}

/** Tells `status.operation`. It never fails the step: what it says is said again by the next report. */
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
      conditions: [this.#reconciling(error.reason, error.sentence)],
    }));
  }

  async recovered(): Promise<void> {
    await this.#write((step) =>
      step === this.#step
        ? {
            operation: this.#operation(),
            conditions: [this.#reconciling(word(this.#op.kind), `${word(this.#op.kind)} goes on.`)],
          }
        : undefined,
    );
  }

  #operation() {
    return { id: this.#op.id, type: this.#op.kind, step: this.#step, startedAt: this.#op.startedAt };
  }

  #reconciling(reason: string, message: string) {
    return { type: 'Reconciling', status: 'True', reason, message } as const;
  }

  async #write(change: (step: string | undefined) => StatusPatch | undefined): Promise<void> {
    const target = { pipeline: this.#op.pipeline, opSeq: this.#op.seq, generation: this.#op.generation };
    try {
      await updateStatus(
        this.#deps.kube,
        () => this.#deps.clock.now(),
        target,
        (own) => change(own.operation?.step),
      );
    } catch (error) {
      this.#deps.log.warn({ step: this.#step, problem: problemOf(error) }, 'the step could not be told in the status');
    }
  }
}

function word(kind: string): string {
  return kind.charAt(0).toUpperCase() + kind.slice(1);
}
