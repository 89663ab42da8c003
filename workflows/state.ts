/**
 * What the entity workflow of a pipeline remembers: what is wanted, what was done, what is being done. Plain JSON, a
 * few KB.
 *
 * L1  A notification is a hint, a read is authoritative: notifications, in any order, lead to a read at most; the
 *     generation that was read counts, even if it is lower than an earlier one (a restored etcd).
 * L2  A notification during a read is not lost: it leads to one more read.
 * L3  At most one operation runs; its `seq` is higher than that of every earlier one.
 * L4  A reported deletion holds until a read contradicts it.
 * L5  A refused spec is kept beside the last accepted one: the accepted one stays in force, and a pause or stop that
 *     the refused one asks for can be carried out.
 * L6  A restored etcd gives generations again: what was done, or failed, under a number says nothing about the next spec of
 *     that number.
 */
import { assertNever } from '../model/errors.ts';
import type { DesiredState } from '../model/plan.ts';
import type { OperationKind, PipelineRef, Readiness, RefusedSpec, SpecSummary, Told } from '../model/lifecycle.ts';

/**
 * Version of the rules. Runs with version 1 started under v0.1: a replay of such a run must decide as v0.1 did,
 * although that was sometimes wrong. As soon as no operation is open, the entity continues in a new run, with version
 * 2.
 */
export type StateVersion = 1 | 2;

/** State of the cluster, according to the operations that have ended. */
export type Actual =
  /** Nothing was ever created. */
  | { readonly is: 'absent' }
  /** An operation was interrupted or failed: anything may exist. */
  | { readonly is: 'unfinished'; readonly provisioned: boolean }
  /** `generation` is carried out and in this state. */
  | { readonly is: DesiredState; readonly generation: number }
  /** Torn down, finalizer removed. */
  | { readonly is: 'gone' };

/** The last operation ended without success. */
export interface Failure {
  readonly generation: number;
  readonly operation: OperationKind;
  readonly code: string;
  readonly message: string;
  readonly at: string;
}

/** The newest read gave a spec that cannot be carried out. */
export interface Refusal {
  readonly generation: number;
  readonly code: string;
  readonly message: string;
  readonly at: string;
  /** Null when not even this field can be read. */
  readonly desiredState: DesiredState | null;
}

export interface Operation {
  readonly seq: number;
  readonly kind: OperationKind;
  readonly generation: number;
  readonly desired: DesiredState;
  /** The cause, when that is not the spec. */
  readonly because?: string;
  /** The newest spec is refused: only its desired state is used. */
  readonly refused?: true;
}

export interface RunningOperation extends Operation {
  readonly startedAt: string;
  /** Cancellation was requested; it is still cleaning up. */
  readonly cancelling: boolean;
}

export interface FinishedOperation extends Operation {
  readonly startedAt: string;
  readonly endedAt: string;
  readonly outcome: Outcome['is'];
}

/** What is kept of a read: enough to plan with, never the spec. */
export type Seen = Pick<
  SpecSummary,
  'generation' | 'desiredState' | 'deletionPolicy' | 'isolation' | 'workloadNamespace' | 'pid' | 'kinds' | 'description'
>;

export interface PipelineState {
  readonly version: StateVersion;
  readonly pipeline: PipelineRef;
  readonly wanted: {
    /** The last generation that was reported or read. */
    readonly generation: number;
    readonly deleting: boolean;
    /** Read the resource, whatever was read before. */
    readonly look: boolean;
    /** Something that the spec refers to has changed, or a person asked for a retry: run the steps again. */
    readonly again: boolean;
    /** What somebody else has changed in the cluster; null: nothing, as far as is known. */
    readonly drift: string | null;
    /** A person's decision that was not dealt with yet. Absent: none. */
    readonly decision?: string;
  };
  /** The spec that was accepted last. */
  readonly seen: Seen | null;
  readonly refused: Refusal | null;
  /** Generation of the last accepted spec, even if an earlier entity accepted it; 0: none. */
  readonly acceptedGeneration: number;
  readonly actual: Actual;
  readonly running: RunningOperation | null;
  readonly failure: Failure | null;
  readonly lastSeq: number;
  readonly history: readonly FinishedOperation[];
  /** Ids of the last requests, so that a repeated one counts once, in later runs as well. */
  readonly requests: readonly string[];
  /**
   * The last readiness that the controller reported since the last operation; undefined: none, so no problem is known.
   */
  readonly readiness?: Readiness | undefined;
}

const keptOperations = 20;
const keptRequests = 20;

export function newState(pipeline: PipelineRef, version: StateVersion = 2): PipelineState {
  return {
    version,
    pipeline,
    wanted: { generation: 0, deleting: false, look: false, again: false, drift: null },
    seen: null,
    refused: null,
    acceptedGeneration: 0,
    actual: { is: 'absent' },
    running: null,
    failure: null,
    lastSeq: 0,
    history: [],
    requests: [],
  };
}

type Later = 'version' | 'wanted' | 'refused' | 'acceptedGeneration' | 'failure' | 'requests';

/** The state that v0.1 and earlier builds carried over, without fields that were added later with a neutral value. */
export type EarlierState = Omit<PipelineState, Later> & {
  readonly version: number;
  readonly wanted: Pick<PipelineState['wanted'], 'generation' | 'deleting' | 'again'> & {
    readonly drift?: string | null;
  };
  readonly failure: (Omit<Failure, 'operation'> & { readonly operation: OperationKind | 'read' }) | null;
  readonly requests?: readonly string[];
};

/** The state of an earlier run in today's shape, under the rules of `version`. */
export function migrate(state: PipelineState | EarlierState, version: StateVersion = 2): PipelineState {
  if ('refused' in state) return { ...state, version };
  const { wanted, failure, seen, requests = [] } = state;
  const { generation, deleting, again, drift = null } = wanted;
  const isRefusal = failure?.operation === 'read';
  return {
    ...state,
    version,
    wanted: { generation, deleting, look: false, again, drift },
    acceptedGeneration: seen?.generation ?? 0,
    refused: isRefusal ? { ...failure, desiredState: null } : null,
    failure: failure === null || failure.operation === 'read' ? null : { ...failure, operation: failure.operation },
    requests,
  };
}

/** The newest read, accepted or refused; null: nothing was read yet. */
export function newestRead({ seen, refused }: PipelineState): Pick<Refusal, 'generation' | 'desiredState'> | null {
  return refused ?? seen;
}

/** The resource was reported to have changed (L1). */
export function noteWanted(state: PipelineState, told: Told): PipelineState {
  const { wanted, pipeline } = state;
  const isNowhere = pipeline.cluster === undefined && told.cluster !== undefined;
  // After a restore of etcd, the same generation may mean another spec.
  const isBack = state.version === 2 && told.generation < wanted.generation;
  return {
    ...state,
    pipeline: isNowhere ? { ...pipeline, cluster: told.cluster } : pipeline,
    wanted: {
      ...wanted,
      generation: state.version === 1 ? Math.max(wanted.generation, told.generation) : told.generation,
      deleting: wanted.deleting || told.deleting,
      look: wanted.look || isNowhere || isBack,
      ...(told.decision === undefined ? {} : { decision: told.decision }),
      // Without knowing where, a teardown may have failed.
      again: wanted.again || (isNowhere && state.failure !== null),
    },
  };
}

export function wantAgain(state: PipelineState): PipelineState {
  return { ...state, wanted: { ...state.wanted, again: true } };
}

/** The decision was dealt with; another one may have come meanwhile. */
export function decided(state: PipelineState, text: string): PipelineState {
  const { decision, ...wanted } = state.wanted;
  return decision === text ? { ...state, wanted } : state;
}

/** Somebody else has changed what the lifecycle made. */
export function noteDrift(state: PipelineState, what: string): PipelineState {
  return { ...state, wanted: { ...state.wanted, drift: what } };
}

/** A report that comes during an operation is about the time before it, and is dropped. */
export function noteReadiness(state: PipelineState, readiness: Readiness): PipelineState {
  return state.running === null ? { ...state, readiness } : state;
}

/** A retry was requested; the same request twice is one. A refused spec is read again. */
export function request(state: PipelineState, id: string): PipelineState {
  if (state.requests.includes(id)) return state;
  const wanted = { ...state.wanted, again: true, look: state.wanted.look || state.refused !== null };
  return { ...state, wanted, requests: [...state.requests, id].slice(-keptRequests) };
}

/**
 * The resource was read. `told`: `wanted.generation` when the read started. A new entity of an old pipeline continues
 * the sequence in the status.
 */
export function noteSpec(state: PipelineState, spec: SpecSummary, told: number): PipelineState {
  const { generation, desiredState, deletionPolicy, isolation, workloadNamespace, pid, kinds, description } = spec;
  return {
    ...afterRead(state, spec, told),
    seen: { generation, desiredState, deletionPolicy, isolation, workloadNamespace, pid, kinds, description },
    refused: null,
    acceptedGeneration: generation,
  };
}

/** The resource was read and its spec cannot be carried out. Without `read`, nothing is known about the spec. */
export function refuse(
  state: PipelineState,
  failure: { readonly code: string; readonly message: string; readonly read?: RefusedSpec },
  told: number,
  at: string,
): PipelineState {
  const { code, message, read } = failure;
  const unread = { generation: told, deleting: false, opSeq: 0, acceptedGeneration: 0 };
  const after = afterRead(state, read ?? unread, told);
  return {
    ...after,
    wanted: { ...after.wanted, again: state.version === 1 || read === undefined ? false : after.wanted.again },
    refused: { generation: read?.generation ?? told, code, message, at, desiredState: read?.desiredState ?? null },
    acceptedGeneration: Math.max(state.acceptedGeneration, read?.acceptedGeneration ?? 0),
  };
}

function afterRead(
  state: PipelineState,
  read: Pick<SpecSummary, 'generation' | 'deleting' | 'opSeq' | 'cluster'>,
  told: number,
): PipelineState {
  const isAdopted = state.lastSeq === 0 && read.opSeq > 0 && state.actual.is === 'absent';
  const { wanted } = noteWanted(state, { generation: read.generation, deleting: read.deleting });
  // L2: reported meanwhile, and not what was read.
  const isToldAnew = state.version === 2 && state.wanted.generation !== told;
  return {
    ...state,
    pipeline:
      state.pipeline.cluster === undefined && read.cluster !== undefined
        ? { ...state.pipeline, cluster: read.cluster }
        : state.pipeline,
    wanted: { ...wanted, generation: isToldAnew ? state.wanted.generation : wanted.generation, look: false },
    ...whenBack(state, read.generation),
    ...(isAdopted ? { actual: { is: 'unfinished', provisioned: true } } : {}),
    lastSeq: Math.max(state.lastSeq, read.opSeq),
  };
}

/** L6. */
function whenBack(state: PipelineState, generation: number): Pick<PipelineState, 'failure' | 'actual'> {
  const { version, failure, actual } = state;
  if (version === 1 || generation >= (newestRead(state)?.generation ?? 0)) return { failure, actual };
  return { failure: null, actual: 'generation' in actual ? { ...actual, generation: 0 } : actual };
}

/** The resource is gone, or another one has its name: what is left of it must be torn down. */
export function noteGone(state: PipelineState): PipelineState {
  return { ...state, wanted: { ...state.wanted, deleting: true, look: false } };
}

export function begin(state: PipelineState, operation: Operation, startedAt: string): PipelineState {
  return {
    ...state,
    wanted: { ...state.wanted, again: false, drift: null },
    failure: null,
    refused: state.version === 1 ? null : state.refused,
    running: { ...operation, startedAt, cancelling: false },
    lastSeq: operation.seq,
    readiness: undefined,
  };
}

export function preempt(state: PipelineState): PipelineState {
  return state.running === null ? state : { ...state, running: { ...state.running, cancelling: true } };
}

export type Outcome =
  | { readonly is: 'done'; readonly generation: number }
  | { readonly is: 'failed'; readonly code: string; readonly message: string }
  | { readonly is: 'preempted' }
  /** It was preempted and has not ended for minutes, without a worker; its late writes are fenced by its `seq`. */
  | { readonly is: 'abandoned' }
  /** Nothing was done: the resource already had the newer `generation`. */
  | { readonly is: 'superseded'; readonly generation: number }
  /** The resource changed during the operation, which has done part of its work. */
  | { readonly is: 'overtaken' }
  /** The resource disappeared although it had our finalizer: what is left must be torn down. */
  | { readonly is: 'orphaned' }
  /** Nothing was done: a teardown found a resource that exists and is not being deleted. */
  | { readonly is: 'notDeleted' }
  /** The operation `newer` has written: read the resource, and continue the sequence from there. */
  | { readonly is: 'fenced'; readonly newer: number }
  /** A terminated entity has left a run with its workflow id: use the next sequence. */
  | { readonly is: 'occupied' };

/** The running operation ended. */
export function finish(state: PipelineState, outcome: Outcome, endedAt: string): PipelineState {
  const { running } = state;
  if (running === null) return state;
  const { cancelling: _, ...operation } = running;
  return {
    ...afterwards(state, running, outcome),
    running: null,
    actual: actualAfter(state.actual, running, outcome),
    failure: failureAfter(running, outcome, endedAt),
    history: [...state.history, { ...operation, endedAt, outcome: outcome.is }].slice(-keptOperations),
  };
}

function afterwards(state: PipelineState, running: Operation, outcome: Outcome): PipelineState {
  const { wanted } = state;
  switch (outcome.is) {
    case 'superseded':
      if (state.version === 1) return noteWanted(state, { generation: outcome.generation, deleting: false });
      return lookUnlessRead(state, running);
    case 'overtaken':
      return lookUnlessRead(state, running);
    case 'orphaned':
      return noteGone(state);
    case 'notDeleted':
      return { ...state, wanted: { ...wanted, deleting: false, look: true } };
    case 'fenced':
      return state.version === 1
        ? { ...state, seen: null }
        : { ...state, wanted: { ...wanted, look: true }, lastSeq: Math.max(state.lastSeq, outcome.newer) };
    case 'done':
    case 'failed':
    case 'preempted':
    case 'abandoned':
    case 'occupied':
      return state;
    default:
      return assertNever(outcome);
  }
}

/** Asks for a read, unless a read during the operation already gave another generation. */
function lookUnlessRead(state: PipelineState, running: Operation): PipelineState {
  const look = state.wanted.look || newestRead(state)?.generation === running.generation;
  return { ...state, wanted: { ...state.wanted, look } };
}

function failureAfter(running: Operation, outcome: Outcome, at: string): Failure | null {
  if (outcome.is !== 'failed') return null;
  const { code, message } = outcome;
  return { generation: running.generation, operation: running.kind, code, message, at };
}

function actualAfter(before: Actual, running: Operation, outcome: Outcome): Actual {
  switch (outcome.is) {
    case 'done':
      return running.kind === 'teardown' ? { is: 'gone' } : { is: running.desired, generation: outcome.generation };
    case 'superseded':
    case 'notDeleted':
    case 'occupied':
      return before;
    case 'failed':
    case 'preempted':
    case 'abandoned':
    case 'overtaken':
    case 'orphaned':
    case 'fenced': {
      const provisioned = before.is === 'unfinished' ? before.provisioned : before.is !== 'absent';
      return { is: 'unfinished', provisioned };
    }
    default:
      return assertNever(outcome);
  }
}
