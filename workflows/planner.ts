/**
 * What should happen next to a pipeline. Pure: the entity workflow only carries it out.
 *
 * N1  While the resource is being deleted, the only operation that starts is teardown.
 * N2  Never two operations: with one running, the answer is look, preempt or rest.
 * N3  Delete preempts all; pause and stop preempt all but teardown; nothing preempts teardown (`model/operations.ts`).
 * N4  After a failure nothing starts until another generation, drift, a deletion, or someone asks again.
 * N5  With nothing new the answer is rest: an idle pipeline costs nothing.
 * N6  Changes by others are repaired when nothing else is to be done, because every other operation repairs them as
 *     well.
 * N7  An entity that has not read the resource yet reads it, whatever woke it.
 * N8  A refused spec blocks only itself: it can still pause or stop the pipeline, and the accepted one is repaired and
 *     gets new credentials.
 */
import { assertNever } from '../model/errors.ts';
import type { DesiredState } from '../model/plan.ts';
import { mustPreempt, type Intent } from '../model/operations.ts';
import type { OperationKind } from '../model/lifecycle.ts';
import { newestRead, type Operation, type PipelineState, type Refusal } from './state.ts';

export type NextStep =
  /** Read the resource: it has changed since the last read. */
  | { readonly do: 'look' }
  | { readonly do: 'start'; readonly operation: Operation }
  | { readonly do: 'preempt'; readonly running: Operation; readonly because: Intent }
  /** The pipeline is gone: the entity ends. */
  | { readonly do: 'end' }
  | { readonly do: 'rest' };

const rest: NextStep = { do: 'rest' };

export function planNext(state: PipelineState): NextStep {
  if (state.actual.is === 'gone') return { do: 'end' };
  return state.running === null ? whenIdle(state) : whileRunning(state, state.running);
}

function whileRunning(state: PipelineState, running: Operation & { readonly cancelling: boolean }): NextStep {
  if (running.cancelling || running.kind === 'teardown') return rest;
  if (state.wanted.deleting) return preemptBy(running, 'delete');
  if (mustLook(state)) return { do: 'look' };
  const intent = newIntent(state, running);
  // Under v0.1 a stop did not make way for another spec that says so, too.
  if (intent === null || (state.version === 1 && running.kind === 'stop' && intent === 'Stopped')) return rest;
  return preemptBy(running, intent);
}

function preemptBy(running: Operation, because: Intent): NextStep {
  return mustPreempt(running.kind, because) ? { do: 'preempt', running, because } : rest;
}

/**
 * A desired state that was read after the operation started; null: none. Of a refused spec only Paused and Stopped
 * (N8).
 */
function newIntent(state: PipelineState, running: Operation): DesiredState | null {
  const { seen, refused } = state;
  if (state.version === 1) return seen !== null && seen.generation > running.generation ? seen.desiredState : null;
  const read = newestRead(state);
  if (read === null || read.generation === running.generation) return null;
  return refused !== null && refused.desiredState === 'Running' ? null : read.desiredState;
}

function whenIdle(state: PipelineState): NextStep {
  const { wanted, seen, refused } = state;
  if (wanted.deleting) {
    const isStuck = state.failure?.operation === 'teardown' && !wanted.again;
    return isStuck ? rest : teardown(state);
  }
  if (mustLook(state)) return { do: 'look' };
  if (refused !== null) return state.version === 1 ? rest : whenRefused(state, refused);
  if (seen === null || hasFailed(state, seen.generation)) return rest;
  const kind = operationFor(state, seen.desiredState, seen.generation);
  return kind === undefined ? rest : start(state, { kind, generation: seen.generation, desired: seen.desiredState });
}

/** The resource was reported to have changed since it was read, or was not read yet (N7). */
function mustLook(state: PipelineState): boolean {
  const { wanted, seen, refused } = state;
  if (state.version === 1) {
    const known = Math.max(seen?.generation ?? 0, refused?.generation ?? 0);
    return wanted.generation > known || (wanted.again && refused !== null);
  }
  return wanted.look || newestRead(state)?.generation !== wanted.generation;
}

/** N4. */
function hasFailed({ version, failure, wanted }: PipelineState, generation: number): boolean {
  if (failure === null || wanted.again) return false;
  if (version === 1) return failure.generation >= generation;
  return failure.generation === generation && wanted.drift === null;
}

function operationFor(state: PipelineState, desired: DesiredState, generation: number): OperationKind | undefined {
  const { actual } = state;
  switch (actual.is) {
    case 'absent':
      return 'provision';
    case 'unfinished':
      return desired === 'Running' && !actual.provisioned ? 'provision' : towards(desired);
    case 'Running':
    case 'Paused':
    case 'Stopped': {
      if (actual.is !== desired) return desired === 'Running' ? 'resume' : towards(desired);
      const isOther = state.version === 1 ? actual.generation < generation : actual.generation !== generation;
      if (isOther || state.wanted.again) return 'reconfigure';
      return state.wanted.drift === null ? undefined : 'repair';
    }
    case 'gone':
      return undefined;
    default:
      return assertNever(actual);
  }
}

function towards(desired: DesiredState): OperationKind {
  return desired === 'Running' ? 'reconfigure' : desired === 'Paused' ? 'pause' : 'stop';
}

/** N8. */
function whenRefused(state: PipelineState, refused: Refusal): NextStep {
  const { actual, wanted, acceptedGeneration } = state;
  if (actual.is === 'absent' || actual.is === 'gone') return rest;
  const stands = actual.is === 'Paused' || actual.is === 'Stopped';
  if (refused.desiredState === 'Paused' || refused.desiredState === 'Stopped') {
    const desired = refused.desiredState;
    const kind = actual.is !== desired ? towards(desired) : wanted.drift === null ? undefined : 'repair';
    if (kind === undefined || hasFailed(state, refused.generation)) return rest;
    return start(state, { kind, generation: refused.generation, desired, refused: true });
  }
  const desired = stands ? actual.is : 'Running';
  const isCutShort = actual.is === 'unfinished' && actual.provisioned;
  const isCalledFor = isCutShort || wanted.drift !== null || (wanted.again && !stands);
  if (!isCalledFor || acceptedGeneration === 0 || hasFailed(state, acceptedGeneration)) return rest;
  return start(state, { kind: 'repair', generation: acceptedGeneration, desired, refused: true });
}

function teardown(state: PipelineState): NextStep {
  const { wanted, seen } = state;
  const read = newestRead(state)?.generation ?? 0;
  const generation = state.version === 1 ? Math.max(read, wanted.generation) : wanted.generation || read;
  return start(state, { kind: 'teardown', generation, desired: seen?.desiredState ?? 'Running' });
}

function start(state: PipelineState, operation: Omit<Operation, 'seq'>): NextStep {
  const { drift } = state.wanted;
  const because = operation.kind === 'repair' && drift !== null ? { because: drift } : {};
  return { do: 'start', operation: { seq: state.lastSeq + 1, ...operation, ...because } };
}
