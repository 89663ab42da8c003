/**
 * The status of a Pipeline: what is, as opposed to what is wanted. Types only; `crds/status.ts` is their schema.
 *
 * Two writers own disjoint parts by server-side apply (`./names.ts`, fieldManagers): the controller writes
 * `deadLetters`, its conditions (`./conditions.ts`) and `ready` of each stage; the lifecycle writes everything else.
 * The phase is of both: the lifecycle says what was done, and the controller turns Running into NotReady, and back,
 * as Ready is.
 */
import type { ConditionValue } from './conditions.ts';

export const phases = [
  'Pending',
  'Provisioning',
  'Running',
  /** Carried out like `Running`, but not Ready: the condition has the reason. */
  'NotReady',
  'Pausing',
  'Paused',
  'Stopped',
  'Reconfiguring',
  'Resuming',
  'Repairing',
  'Failed',
  'Deleting',
] as const;

export type Phase = (typeof phases)[number];

/** It should move records, and no change is in progress: whether it does is what `Ready` says. */
export function isUnderWay(phase: Phase | undefined): phase is 'Running' | 'NotReady' {
  return phase === 'Running' || phase === 'NotReady';
}

/** One claim about the pipeline. */
export interface Condition {
  /** One of `conditionTypes`; a later version may know more. */
  type: string;
  status: ConditionValue;
  /** Generation of the spec that this condition speaks about. */
  observedGeneration?: number | undefined;
  /** Why, as one word for programs. */
  reason: string;
  /** Why, as a sentence for people. */
  message: string;
  /** RFC 3339: when `status` changed last. */
  lastTransitionTime: string;
}

/** One stage of the plan. */
export interface StageStatus {
  name: string;
  /** Pods that are wanted. */
  replicas: number;
  /** Pods that are ready now. */
  ready: number;
}

/** The change in progress. */
export interface OperationStatus {
  /** Temporal workflow id of the operation. */
  id: string;
  type: string;
  step: string;
  startedAt: string;
  /** Attempt of the current step, when it is being retried. */
  attempt?: number | undefined;
  lastError?: string | undefined;
}

/** The plan by which records are processed now. */
export interface PlanInForceStatus {
  /** Generation of the spec. */
  generation: number;
  /** For each writer the first frame for which it applies: the first 64 writers. */
  from: { writer: string; sequence: number }[];
}

/** A stream of the pipeline, as the lifecycle has created it. */
export interface StreamStatus {
  name: string;
  /** RFC 3339: when it was created. Another time means another stream. */
  created: string;
}

/** The outcome of a person's last decision. */
export interface DecisionStatus {
  /** As the annotation had it. */
  text: string;
  /** RFC 3339. */
  at: string;
  /** Why it was not carried out. */
  problem?: string | undefined;
}

export interface PipelineStatus {
  /** Last generation of the spec that was carried out or refused. */
  observedGeneration?: number | undefined;
  /** Last generation of the spec that was found valid. */
  acceptedGeneration?: number | undefined;
  phase?: Phase | undefined;
  /** Name of the ControllerRevision that holds the spec in force. */
  revision?: string | undefined;
  conditions?: Condition[] | undefined;
  stages?: StageStatus[] | undefined;
  operation?: OperationStatus | undefined;
  deadLetters?: { records: number; dropped?: number | undefined } | undefined;
  planInForce?: PlanInForceStatus | undefined;
  streams?: StreamStatus[] | undefined;
  decision?: DecisionStatus | undefined;
  /** The Temporal workflow that manages the pipeline. */
  workflow?: { id: string; runId?: string | undefined; url?: string | undefined } | undefined;
  /** Sequence of the last operation. */
  opSeq?: number | undefined;
}
