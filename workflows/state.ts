/**
 * What the entity workflow of a pipeline remembers: intents, what was done, what is being done. Plain JSON, a few KB.
 *
 * L1  A telling is a hint, a read is authoritative: what is told, in whatever order, leads to a read at most; the
 *     generation that was read counts, also when it is lower than one that was seen before (a restored etcd).
 * L2  What is told while the resource is being read is not lost: it leads to one more read.
 * L3  At most one operation runs; its `seq` is higher than that of every operation before it.
 * L4  A deletion that was told holds until a read says otherwise.
 * L5  A refused spec is kept beside the last accepted one: what was accepted goes on, and what the refused one wants of
 *     the pods (pause, stop) can be done without it.
 */
import { assertNever } from '../model/errors.ts';
import type { DesiredState } from '../model/plan.ts';
import type { OperationKind, PipelineRef, Readiness, RefusedSpec, SpecSummary, Told } from '../model/lifecycle.ts';

/**
 * Version of the rules. Runs of 1 began under v0.1: while such a run is replayed it must decide as v0.1 did, although that
 * was wrong at times. As soon as it has no operation open the entity goes on in a new run, with version 2.
 */
export type StateVersion = 1 | 2;

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

/** The last operation ended without having done its work. */
export interface Failure {
  readonly generation: number;
  readonly operation: OperationKind;
  readonly code: string;
  readonly message: string;
  readonly at: string;
}

/** The resource was read last, and says something that cannot be carried out. */
export interface Refusal {
  readonly generation: number;
  readonly code: string;
  readonly message: string;
  readonly at: string;
  /** Null when not even that can be read. */
  readonly desiredState: DesiredState | null;
}

export interface Operation {
  readonly seq: number;
  readonly kind: OperationKind;
  readonly generation: number;
  readonly desired: DesiredState;
  /** What made it necessary, where that is not the spec. */
  readonly because?: string;
  /** The newest spec is refused: nothing of it is used but what it wants of the pods. */
  readonly refused?: true;
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
  readonly version: StateVersion;
  readonly pipeline: PipelineRef;
  readonly wanted: {
    /** Told last, or read since. */
    readonly generation: number;
    readonly deleting: boolean;
    /** Read the resource, whatever was read before. */
    readonly look: boolean;
    /** Something a spec refers to has changed, or a person asked to try again: converge once more. */
    readonly again: boolean;
    /** What somebody else has changed in the cluster; null when nothing is known of. */
    readonly drift: string | null;
    /** What a person has decided and was not looked at yet. Absent: nothing. */
    readonly decision?: string;
  };
  /** The spec that was accepted last. */
  readonly seen: Seen | null;
  readonly refused: Refusal | null;
  /** Generation of the last accepted spec, also of one that an entity before this one has accepted; 0: none. */
  readonly acceptedGeneration: number;
  readonly actual: Actual;
  readonly running: RunningOperation | null;
  readonly failure: Failure | null;
  readonly lastSeq: number;
  readonly history: readonly FinishedOperation[];
  /** Ids of the last requests, so that one that is sent twice counts once, in later runs, too. */
  readonly requests: readonly string[];
  /** What the controller has said of it since the last operation; undefined: nothing, so all is well as far as is known. */
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

/** What v0.1 and its builds before have carried over: some of it was added later, with a neutral value. */
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

/** The newest read: accepted or refused. */
export function newestRead({ seen, refused }: PipelineState): Pick<Refusal, 'generation' | 'desiredState'> | null {
  return refused ?? seen;
}

/** The resource was told of (L1). */
export function noteWanted(state: PipelineState, told: Told): PipelineState {
  const { wanted, pipeline } = state;
  const isNowhere = pipeline.cluster === undefined && told.cluster !== undefined;
  // After a restore of etcd generations are counted again: the same number may mean another spec then.
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

/** The decision was looked at; another may have been told meanwhile. */
export function decided(state: PipelineState, text: string): PipelineState {
  const { decision, ...wanted } = state.wanted;
  return decision === text ? { ...state, wanted } : state;
}

/** Somebody else has changed what the lifecycle made. */
export function noteDrift(state: PipelineState, what: string): PipelineState {
  return { ...state, wanted: { ...state.wanted, drift: what } };
}

/** What is told while an operation runs was true before it. */
export function noteReadiness(state: PipelineState, readiness: Readiness): PipelineState {
  return state.running === null ? { ...state, readiness } : state;
}

/** Somebody asked to try again; the same request twice is one. A spec that was refused is read again. */
export function request(state: PipelineState, id: string): PipelineState {
  if (state.requests.includes(id)) return state;
  const wanted = { ...state.wanted, again: true, look: state.wanted.look || state.refused !== null };
  return { ...state, wanted, requests: [...state.requests, id].slice(-keptRequests) };
}

/**
 * The resource was read. `told`: `wanted.generation` as the read began. A new entity of an old pipeline goes on counting
 * where the status says.
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

/** The resource was read and says something that cannot be carried out. Without `read` nothing is known of what it says. */
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
  // L2: told meanwhile, and not what was read.
  const isToldAnew = state.version === 2 && state.wanted.generation !== told;
  return {
    ...state,
    pipeline:
      state.pipeline.cluster === undefined && read.cluster !== undefined
        ? { ...state.pipeline, cluster: read.cluster }
        : state.pipeline,
    wanted: { ...wanted, generation: isToldAnew ? state.wanted.generation : wanted.generation, look: false },
    actual: isAdopted ? { is: 'unfinished', provisioned: true } : state.actual,
    lastSeq: Math.max(state.lastSeq, read.opSeq),
  };
}

/** The resource was read and is gone, or another one has its name: what is left of it must be taken down. */
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
  /** It was preempted, and nobody has served its end for minutes; what it still writes is fenced by its `seq`. */
  | { readonly is: 'abandoned' }
  /** The resource had moved on to `generation` before the operation read it; nothing was done. */
  | { readonly is: 'superseded'; readonly generation: number }
  /** The resource moved on while the operation was at work: something was done. */
  | { readonly is: 'overtaken' }
  /** The resource is gone without its finalizer's doing: what is left of the pipeline must be taken down. */
  | { readonly is: 'orphaned' }
  /** A teardown found that the resource is there and is not being deleted; nothing was done. */
  | { readonly is: 'notDeleted' }
  /** The operation `newer` has written: read the resource, and go on counting from there. */
  | { readonly is: 'fenced'; readonly newer: number }
  /** Its workflow id is that of a run that a terminated entity has left: the next sequence is free. */
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

/** What the resource says now may have been read already while the operation ran. */
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
