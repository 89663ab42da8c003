/**
 * What should happen next to a pipeline. Pure: the entity workflow only carries it out.
 *
 * N1  While the resource is being deleted, the only operation that starts is teardown.
 * N2  Never two operations: with one running, the answer is look, preempt or rest.
 * N3  Delete preempts all; pause and stop preempt all but teardown; nothing preempts teardown ({@link mustPreempt}).
 * N4  After a failure nothing starts until a newer generation, a deletion, or someone asks again.
 * N5  With nothing new the answer is rest: an idle pipeline costs nothing.
 * N6  What somebody else has changed is repaired when nothing else is to be done: every other operation repairs it, too.
 */
import { assertNever } from '../model/errors.ts';
import type { DesiredState } from '../model/plan.ts';
import type { OperationKind } from '../model/lifecycle.ts';
import type { Operation, PipelineState } from './state.ts';

export type NextStep =
  /** Read the resource: it has changed since. */
  | { readonly do: 'look' }
  | { readonly do: 'start'; readonly operation: Operation }
  | { readonly do: 'preempt'; readonly running: Operation; readonly because: Intent }
  /** The pipeline is gone: the entity ends. */
  | { readonly do: 'end' }
  | { readonly do: 'rest' };

export type Intent = 'delete' | DesiredState;

type Table = Readonly<Record<OperationKind, Readonly<Record<Intent, boolean>>>>;

/** Row: the running operation; column: what a newer generation, or the deletion, wants. */
const preemption: Table = {
  provision: { delete: true, Paused: true, Stopped: true, Running: true },
  reconfigure: { delete: true, Paused: true, Stopped: true, Running: true },
  repair: { delete: true, Paused: true, Stopped: true, Running: true },
  resume: { delete: true, Paused: true, Stopped: true, Running: true },
  pause: { delete: true, Paused: false, Stopped: true, Running: true },
  stop: { delete: true, Paused: true, Stopped: false, Running: true },
  teardown: { delete: false, Paused: false, Stopped: false, Running: false },
};

export function mustPreempt(running: OperationKind, intent: Intent): boolean {
  return preemption[running][intent];
}

export function planNext(state: PipelineState): NextStep {
  if (state.actual.is === 'gone') return { do: 'end' };
  return state.running === null ? whenIdle(state) : whileRunning(state, state.running);
}

function whileRunning(state: PipelineState, running: Operation & { readonly cancelling: boolean }): NextStep {
  if (running.cancelling || running.kind === 'teardown') return { do: 'rest' };
  if (state.wanted.deleting) return preemptBy(running, 'delete');
  if (mustLook(state)) return { do: 'look' };
  const { seen } = state;
  if (seen === null || seen.generation <= running.generation) return { do: 'rest' };
  return preemptBy(running, seen.desiredState);
}

function preemptBy(running: Operation, because: Intent): NextStep {
  return mustPreempt(running.kind, because) ? { do: 'preempt', running, because } : { do: 'rest' };
}

function whenIdle(state: PipelineState): NextStep {
  const { wanted, seen, failure } = state;
  if (wanted.deleting) {
    const stuck = failure?.operation === 'teardown' && !wanted.again;
    return stuck ? { do: 'rest' } : start(state, 'teardown', seen?.desiredState ?? 'Running');
  }
  if (mustLook(state)) return { do: 'look' };
  if (seen === null) return { do: 'rest' };
  if (failure !== null && failure.generation >= seen.generation && !wanted.again) return { do: 'rest' };
  const kind = operationFor(state, seen.desiredState, seen.generation);
  return kind === undefined ? { do: 'rest' } : start(state, kind, seen.desiredState);
}

/** The resource is newer than what was read of it, or was refused and someone asks again. */
function mustLook({ wanted, seen, failure }: PipelineState): boolean {
  const known = Math.max(seen?.generation ?? 0, failure?.operation === 'read' ? failure.generation : 0);
  return wanted.generation > known || (wanted.again && failure?.operation === 'read');
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
      if (actual.generation < generation || state.wanted.again) return 'reconfigure';
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

function start(state: PipelineState, kind: OperationKind, desired: DesiredState): NextStep {
  const generation = Math.max(state.seen?.generation ?? 0, kind === 'teardown' ? state.wanted.generation : 0);
  const { drift } = state.wanted;
  const because = kind === 'repair' && drift !== null ? { because: drift } : {};
  return { do: 'start', operation: { seq: state.lastSeq + 1, kind, generation, desired, ...because } };
}
