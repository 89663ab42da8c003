/**
 * What the workflows ask of the activities: names, inputs and answers, as types only.
 *
 * `workflows/` and `activities/` may not import each other, so the contract between them is here. Every input is small,
 * plain JSON and free of secrets and specs: the activities read the resource and the stored plan themselves.
 */
import type { Claim, ConditionOf } from './conditions.ts';
import type { OperationKind } from './operations.ts';
import type { DesiredState } from './plan.ts';
import type { DecisionStatus, Phase, PipelineStatus, PlanInForceStatus, StreamStatus } from './status.ts';

export type { OperationKind } from './operations.ts';

/** Identifies a pipeline: a resource that was deleted and recreated is another one. */
export interface PipelineRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /**
   * The uid of the namespace kube-system of its cluster. Absent in runs of v0.1, until a controller or a read
   * provides it; without it nothing can be proven to be gone.
   */
  readonly cluster?: string;
}

/** Signal `specChanged`: what the controller sees of the resource. Carries no spec; repeating it is harmless. */
export interface Told {
  /** 0: the entity or objects of the pipeline exist, and the resource does not. The entity checks for itself. */
  readonly generation: number;
  readonly deleting: boolean;
  /** A person's decision (`./decision.ts`) that is still pending. */
  readonly decision?: string;
  /** The controller's cluster: an entity of v0.1 learns from it where its pipeline is. */
  readonly cluster?: string;
}

/** Signal `driftDetected`. */
export interface Drift {
  /** What somebody else has changed in the cluster, as a sentence. */
  readonly what: string;
}

/** Signal `readinessChanged`: what `Ready` says, once that has lasted. Only for display: no decision depends on it. */
export interface Readiness {
  readonly isReady: boolean;
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly since: string;
}

/** Signal `retryRequested` and update `retryNow`: retry what failed or was refused. */
export interface RetryRequest {
  /** Two requests with the same id count once. */
  readonly requestId: string;
}

/** The acting operation. `seq` is stamped on every object it writes; an operation with a lower one is refused. */
export interface OperationRef {
  readonly pipeline: PipelineRef;
  /** Workflow id of the operation. */
  readonly id: string;
  readonly kind: OperationKind;
  readonly seq: number;
  readonly generation: number;
  readonly startedAt: string;
}

/** What an activity is called in Temporal UI and in `status.operation.step`. */
export interface StepInput {
  readonly op: OperationRef;
  readonly step: string;
}

export interface StageSummary {
  readonly name: string;
  readonly kind: 'ingestor' | 'sink';
  readonly replicas: number;
}

/** The facts about a spec that the lifecycle needs, without the spec. */
export interface SpecSummary {
  readonly generation: number;
  readonly deleting: boolean;
  readonly desiredState: DesiredState;
  readonly deletionPolicy: 'Drain' | 'Immediate' | 'Orphan';
  readonly isolation: 'Namespace' | 'Shared';
  readonly workloadNamespace: string;
  readonly pid: string;
  /** Sorted names of the connectors in use. */
  readonly kinds: readonly string[];
  /** `kafka → clickhouse`. */
  readonly description: string;
  readonly stages: readonly StageSummary[];
  /** Sequence of the last operation that wrote the status: a new entity continues counting from it. */
  readonly opSeq: number;
  /** Where it was read. Absent in answers of v0.1. */
  readonly cluster?: string;
}

/** What could be read of a refused spec; sent in the details of the failure. */
export interface RefusedSpec {
  readonly generation: number;
  readonly deleting: boolean;
  /** Null when not even that can be read. */
  readonly desiredState: DesiredState | null;
  /** Last generation that was found valid; 0: none. It keeps running. */
  readonly acceptedGeneration: number;
  readonly opSeq: number;
  readonly cluster?: string;
}

/** Where a pipeline's objects are, known even when its spec is invalid or the resource is gone. */
export interface Location {
  /** False: the resource is proven to be gone, or another one has its name. */
  readonly exists: boolean;
  /** It has a deletionTimestamp. */
  readonly deleting: boolean;
  readonly generation: number;
  readonly pid: string;
  readonly isolation: 'Namespace' | 'Shared';
  readonly workloadNamespace: string;
  readonly deletionPolicy: 'Drain' | 'Immediate' | 'Orphan';
}

export interface PlanRef {
  readonly op: OperationRef;
  readonly step: string;
  readonly workloadNamespace: string;
  readonly isolation: 'Namespace' | 'Shared';
  readonly generation: number;
  /** The newest spec is refused: the stored plan of `generation` applies, and the resource is not read. */
  readonly plan?: 'inForce';
}

export interface StageInput extends PlanRef {
  readonly stage: string;
}

/** Workloads that exist now, whatever any plan says. */
export interface LiveStage {
  readonly name: string;
  readonly kind: 'ingestor' | 'sink';
  readonly wanted: number;
}

/** The lifecycle's conditions; the controller owns the rest. */
export type LifecycleCondition = Claim<ConditionOf<'lifecycle'>>;

/** Changes to the lifecycle's part of the status. Absent fields are unchanged; `operation: null` ends the operation. */
export interface StatusPatch {
  readonly phase?: Phase;
  readonly observedGeneration?: number;
  readonly acceptedGeneration?: number;
  readonly revision?: string;
  /** Without `ready`: the controller keeps that. */
  readonly stages?: readonly { readonly name: string; readonly replicas: number }[];
  readonly operation?: NonNullable<PipelineStatus['operation']> | null;
  readonly workflow?: NonNullable<PipelineStatus['workflow']>;
  readonly planInForce?: PlanInForceStatus;
  readonly streams?: readonly StreamStatus[];
  readonly decision?: DecisionStatus;
  readonly conditions?: readonly LifecycleCondition[];
}

export interface StatusInput {
  readonly pipeline: PipelineRef;
  readonly opSeq: number;
  /** Generation that the conditions speak about. */
  readonly generation: number;
  readonly patch: StatusPatch;
  /** Also reported as a Kubernetes Event. */
  readonly event?: {
    readonly type: 'Normal' | 'Warning';
    readonly reason: string;
    readonly action: string;
    readonly note: string;
  };
}

export interface ApplyPipelineInput {
  readonly namespace: string;
  readonly name: string;
  /** The spec as a person writes it. It may hold `$(secret:…)` references, never secrets. */
  readonly spec: unknown;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface WrittenPipeline {
  readonly pipeline: PipelineRef;
  readonly generation: number;
}

/** Answer of the workflow `applyPipeline`. */
export interface AppliedPipeline extends WrittenPipeline {
  readonly status: PipelineStatus;
}

/** Every activity of the lifecycle. Each may run twice with the effect of once. */
export interface LifecycleActivities {
  /** `plan: 'inForce'`: the newest plan that was applied, for a pipeline whose newest spec is refused. */
  fetchSpec(input: { readonly pipeline: PipelineRef; readonly plan?: 'inForce' }): Promise<SpecSummary>;
  /** Changes nothing, the status included: whoever asks does not know yet whether it may. */
  locatePipeline(input: StepInput): Promise<Location>;
  writeStatus(input: StatusInput): Promise<void>;

  /** Carries out what a person has decided, and says in the status what became of it. Repeating it changes nothing. */
  takeDecision(input: { readonly pipeline: PipelineRef; readonly opSeq: number }): Promise<void>;

  ensureNamespace(input: PlanRef): Promise<void>;
  copyCredentials(input: PlanRef): Promise<{ readonly keys: number }>;
  applyPlan(input: PlanRef): Promise<{ readonly stages: readonly StageSummary[] }>;
  /** What was stored for a spec that is refused after all: its plan, and credentials that nobody else uses. */
  takeBackPlan(input: PlanRef): Promise<void>;
  /** Streams, the plan in them, and who reads and writes them: all that must be there before pods of the plan start. */
  ensureStreams(input: PlanRef): Promise<void>;
  /** The plan comes into force; until every writer names it. */
  announcePlan(input: PlanRef): Promise<PlanInForceStatus>;
  /** Until stages and sources that the plan no longer has are read to their end. */
  waitRetired(input: PlanRef): Promise<void>;
  /** Takes them off, and forgets plans that nobody needs any more. Their pods are gone. */
  retireStages(input: PlanRef): Promise<void>;
  applyStage(input: StageInput & { readonly replicas: number }): Promise<{ readonly changed: boolean }>;
  waitStage(input: StageInput & { readonly replicas: number }): Promise<{ readonly ready: number }>;
  recordRevision(input: PlanRef): Promise<{ readonly revision: string }>;

  listStages(input: PlanRef): Promise<readonly LiveStage[]>;
  scaleStage(input: StageInput & { readonly replicas: number }): Promise<void>;
  waitStageGone(input: StageInput): Promise<void>;
  /**
   * Until every sink that exists has written what is in the edges, or the deletion policy becomes Immediate. `sinks`:
   * only these.
   */
  waitDrained(
    input: PlanRef & { readonly until: 'drained' | 'drainedOrImmediate'; readonly sinks?: readonly string[] },
  ): Promise<{ readonly drained: boolean }>;
  pruneStages(input: PlanRef & { readonly keep: readonly string[] }): Promise<{ readonly removed: readonly string[] }>;

  /** deletionPolicy Orphan: marks what there is as left on purpose, so that nobody takes it for a leftover. */
  releaseObjects(input: PlanRef & { readonly pid: string }): Promise<void>;
  deleteStreams(input: PlanRef & { readonly pid: string }): Promise<void>;
  forgetLeases(input: PlanRef & { readonly pid: string }): Promise<void>;
  deleteNamespace(input: PlanRef): Promise<void>;
  waitNamespaceGone(input: PlanRef): Promise<void>;
  removeFinalizer(input: StepInput): Promise<void>;

  writePipeline(input: ApplyPipelineInput): Promise<WrittenPipeline>;
  waitPipelineReady(input: WrittenPipeline): Promise<AppliedPipeline>;
  removePipeline(input: { readonly namespace: string; readonly name: string }): Promise<PipelineRef | null>;
  waitPipelineGone(input: PipelineRef): Promise<void>;
}
