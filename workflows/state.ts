/**
 * What the entity workflow of a pipeline remembers: intents, what was done, what is being done. Plain JSON, a few KB.
 *
 * L1  `wanted.generation` never falls and `wanted.deleting` never goes back: signals may repeat and arrive in any order.
 * L2  `seen` is what the resource said when it was read last; `seen.generation` may be above `wanted.generation`.
 * L3  At most one operation runs; its `seq` is higher than that of every operation before it.
 */
import { assertNever } from '../model/errors.ts';
import type { DesiredState } from '../model/plan.ts';
import type { OperationKind, PipelineRef, SpecSummary } from '../model/lifecycle.ts';

/** Version of this shape: `migrate` knows all earlier ones. */
export const stateVersion = 1;

/** What the cluster looks like, as far as finished operations tell. */
export type Actual =
  /** Nothing was ever made. */
  | { readonly is: 'absent' }
  /** An operation was cut short or failed: anything may be there. */
  | { readonly is: 'unfinished'; readonly provisioned: boolean }
  /** `generation` is carried out and in this state. */
  | { readonly is: DesiredState; readonly generation: number }
  /** Torn down, finalizer removed. */
  | { readonly is: 'gone' };

export interface Failure {
  readonly generation: number;
  readonly operation: OperationKind | 'read';
  readonly code: string;
  readonly message: string;
  readonly at: string;
}

export interface Operation {
  readonly seq: number;
  readonly kind: OperationKind;
  readonly generation: number;
  readonly desired: DesiredState;
  /** What made it necessary, where that is not the spec. */
  readonly because?: string;
}

export interface RunningOperation extends Operation {
  readonly startedAt: string;
  /** Cancellation was asked for; it still cleans up. */
  readonly cancelling: boolean;
}

export interface FinishedOperation extends Operation {
  readonly startedAt: string;
  readonly endedAt: string;
  readonly outcome: Outcome['is'];
}

/** What was read of the resource: enough to plan with, never the spec. */
export type Seen = Pick<
  SpecSummary,
  'generation' | 'desiredState' | 'deletionPolicy' | 'isolation' | 'workloadNamespace' | 'pid' | 'kinds' | 'description'
>;

export interface PipelineState {
  readonly version: typeof stateVersion;
  readonly pipeline: PipelineRef;
  readonly wanted: {
    readonly generation: number;
    readonly deleting: boolean;
    /** Something a spec refers to has changed, or a person asked to try again: look and converge once more. */
    readonly again: boolean;
    /** What somebody else has changed in the cluster; null when nothing is known of. */
    readonly drift: string | null;
  };
  readonly seen: Seen | null;
  readonly actual: Actual;
  readonly running: RunningOperation | null;
  readonly failure: Failure | null;
  readonly lastSeq: number;
  readonly history: readonly FinishedOperation[];
  /** Ids of the last requests, so that one that is sent twice counts once, in later runs, too. */
  readonly requests: readonly string[];
}

const keptOperations = 20;
const keptRequests = 20;

export function newState(pipeline: PipelineRef): PipelineState {
  return {
    version: stateVersion,
    pipeline,
    wanted: { generation: 0, deleting: false, again: false, drift: null },
    seen: null,
    actual: { is: 'absent' },
    running: null,
    failure: null,
    lastSeq: 0,
    history: [],
    requests: [],
  };
}

/** What runs of earlier builds may not have: it was added with a neutral value, so the version stayed. */
type EarlierState = Omit<PipelineState, 'wanted' | 'requests'> & {
  readonly wanted: Omit<PipelineState['wanted'], 'drift'> & { readonly drift?: string | null };
  readonly requests?: readonly string[];
};

/** The state of an earlier run, in today's shape. */
export function migrate(state: EarlierState): PipelineState {
  const { wanted, requests = [] } = state;
  return { ...state, wanted: { ...wanted, drift: wanted.drift ?? null }, requests };
}

/** A signal arrived (L1). */
export function want(state: PipelineState, change: { generation: number; deleting: boolean }): PipelineState {
  const { wanted } = state;
  return {
    ...state,
    wanted: {
      ...wanted,
      generation: Math.max(wanted.generation, change.generation),
      deleting: wanted.deleting || change.deleting,
    },
  };
}

export function wantAgain(state: PipelineState): PipelineState {
  return { ...state, wanted: { ...state.wanted, again: true } };
}

/** Somebody else has changed what the lifecycle made. */
export function noteDrift(state: PipelineState, what: string): PipelineState {
  return { ...state, wanted: { ...state.wanted, drift: what } };
}

/** Somebody asked to try again; the same request twice is one. */
export function request(state: PipelineState, id: string): PipelineState {
  if (state.requests.includes(id)) return state;
  return { ...wantAgain(state), requests: [...state.requests, id].slice(-keptRequests) };
}

/** The resource was read. A new entity of an old pipeline goes on counting where the status says. */
export function see(state: PipelineState, spec: SpecSummary): PipelineState {
  const adopted = state.lastSeq === 0 && spec.opSeq > 0 && state.actual.is === 'absent';
  const { generation, desiredState, deletionPolicy, isolation, workloadNamespace, pid, kinds, description } = spec;
  return {
    ...want(state, spec),
    seen: { generation, desiredState, deletionPolicy, isolation, workloadNamespace, pid, kinds, description },
    actual: adopted ? { is: 'unfinished', provisioned: true } : state.actual,
    lastSeq: Math.max(state.lastSeq, spec.opSeq),
    failure: state.failure?.operation === 'read' ? null : state.failure,
  };
}

/** The resource was read and says something that cannot be carried out. */
export function refuse(state: PipelineState, failure: Failure): PipelineState {
  return {
    ...state,
    wanted: { ...state.wanted, generation: Math.max(state.wanted.generation, failure.generation), again: false },
    failure,
  };
}

export function begin(state: PipelineState, operation: Operation, startedAt: string): PipelineState {
  return {
    ...state,
    wanted: { ...state.wanted, again: false, drift: null },
    failure: null,
    running: { ...operation, startedAt, cancelling: false },
    lastSeq: operation.seq,
  };
}

export function preempt(state: PipelineState): PipelineState {
  return state.running === null ? state : { ...state, running: { ...state.running, cancelling: true } };
}

export type Outcome =
  | { readonly is: 'done'; readonly generation: number }
  | { readonly is: 'failed'; readonly code: string; readonly message: string }
  | { readonly is: 'preempted' }
  /** The resource had moved on to `generation` before the operation read it; nothing was done. */
  | { readonly is: 'superseded'; readonly generation: number }
  /** The resource is gone without its finalizer's doing: what is left of the pipeline must be taken down. */
  | { readonly is: 'orphaned' }
  /** An operation with a higher sequence has written: read where the counting is now, then go on. */
  | { readonly is: 'fenced' };

/** The running operation ended. */
export function finish(state: PipelineState, outcome: Outcome, endedAt: string): PipelineState {
  const { running } = state;
  if (running === null) return state;
  const { cancelling: _, ...operation } = running;
  return {
    ...afterwards(state, outcome),
    running: null,
    actual: actualAfter(state.actual, running, outcome),
    failure: failureAfter(state, running, outcome, endedAt),
    history: [...state.history, { ...operation, endedAt, outcome: outcome.is }].slice(-keptOperations),
  };
}

function afterwards(state: PipelineState, outcome: Outcome): PipelineState {
  switch (outcome.is) {
    case 'superseded':
      return want(state, { generation: outcome.generation, deleting: false });
    case 'orphaned':
      return want(state, { generation: 0, deleting: true });
    case 'fenced':
      return { ...state, seen: null };
    case 'done':
    case 'failed':
    case 'preempted':
      return state;
    default:
      return assertNever(outcome);
  }
}

function failureAfter(state: PipelineState, running: Operation, outcome: Outcome, at: string): Failure | null {
  // A spec that was read and refused while the operation ran stays refused.
  const refused = state.failure?.operation === 'read' ? state.failure : null;
  if (outcome.is !== 'failed') return refused;
  const { code, message } = outcome;
  return refused ?? { generation: running.generation, operation: running.kind, code, message, at };
}

function actualAfter(before: Actual, running: Operation, outcome: Outcome): Actual {
  if (outcome.is === 'superseded') return before;
  if (outcome.is === 'done') {
    return running.kind === 'teardown' ? { is: 'gone' } : { is: running.desired, generation: outcome.generation };
  }
  const provisioned = before.is === 'unfinished' ? before.provisioned : before.is !== 'absent';
  return { is: 'unfinished', provisioned };
}
