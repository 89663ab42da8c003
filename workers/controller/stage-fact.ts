/**
 * One stage of a pipeline as its Deployment and its pods' reports show it, and what follows from that. Pure.
 *
 * F1  Silence means something only if this controller was listening: "not reported" after 30 s without a report of that
 *     stage, "gone" when pods have said that they end or have no Deployment, "not heard" while no report can be
 *     received.
 * F2  Only the reports of a stage's newest plan count: a pod that is being replaced says nothing about its successor.
 * F6  No report is expected of a stage that an operation has stopped or removed.
 */
import type { PodTrouble } from '../../activities/kubernetes/pods.ts';
import type { ReasonOf } from '../../model/conditions.ts';
import type { PipelineStatus } from '../../model/status.ts';
import type { PodReport } from '../../stream/pod-report.ts';
import type { Hearing } from './hearing.ts';

/** The last report of a pod, with times by the controller's clock. */
export interface Heard {
  readonly report: PodReport;
  /** When this report first came; since then it was only repeated. */
  readonly firstAt: number;
  /** When it last came. */
  readonly at: number;
}

/** With its bytes except the time at their end, by which a repetition is recognised. */
export interface HeardText extends Heard {
  readonly bytes: Uint8Array;
  at: number;
}

export interface StageFact {
  readonly name: string;
  readonly kind: PodReport['kind'];
  readonly wanted: number;
  readonly ready: number;
  /** Why its pods are not ready, from their status; undefined: unknown. */
  readonly trouble: PodTrouble | undefined;
  /** An operation has stopped it, to remove it or start it later: no reports are expected. */
  readonly isStopped: boolean;
  /** Its Deployment does not exist. */
  readonly isMissing: boolean;
  /** When one of its pods last said that it is ending; undefined: none has. */
  readonly leftAt: number | undefined;
  /** Live reports of its pods. */
  readonly heard: readonly Heard[];
  /** Since when a slot of it has no pod; undefined: each has one. */
  readonly freeSince: number | undefined;
}

/** A pod reports every 10 s: after three silences it counts as gone. */
export const liveMs = 30_000;
/** What waits moves within seconds; a batch that fills is not counted (`patienceMs` of the pod). */
export const stuckMs = 15_000;
/** If a pod reported within this time, it would have reported any movement. */
const repeatMs = 12_000;

/** F2: the reports that count. */
export function spokesmen(heard: readonly Heard[]): readonly Heard[] {
  const newest = Math.max(...heard.map(({ report }) => report.generation));
  return heard.filter(({ report }) => report.generation === newest);
}

/** F6. A Deployment that is missing during a repair is being repaired. `wanted` undefined: there is no Deployment. */
export function isStopped(wanted: number | undefined, { operation }: Pick<PipelineStatus, 'operation'>): boolean {
  if (operation === undefined) return false;
  return wanted === undefined ? operation.type !== 'repair' : wanted === 0;
}

/** F6: without stopped stages whose pods have gone. */
export function speaking(stages: readonly StageFact[]): readonly StageFact[] {
  return stages.filter(({ isStopped, heard }) => !isStopped || heard.length > 0);
}

/** Reasons that SourceConnected, SinkConnected and Flowing share. */
type Silence = Extract<ReasonOf<'Flowing'> & ReasonOf<'SinkConnected'>, 'PodsGone' | 'NotReported' | 'Listening'>;

/** F1: why nothing is known of a stage; undefined: something is. Not for a deaf controller. */
export function silenceOf(stage: StageFact, hearing: Hearing, now: number): Silence | undefined {
  const { heard, isMissing, leftAt } = stage;
  if (heard.length > 0) return undefined;
  if (isMissing || (leftAt !== undefined && now - leftAt < liveMs)) return 'PodsGone';
  return hearing === 'steady' ? 'NotReported' : 'Listening';
}

export function whyGone({ isMissing }: Pick<StageFact, 'isMissing'>): string {
  return isMissing ? missingText : 'the last one has ended';
}

export const missingText = 'its Deployment was deleted';

/** How long a backlog has not moved: until its report by the pod's clock, since then by ours. Undefined: no backlog. */
export function stillMs({ report, firstAt, at }: Heard, now: number): number | undefined {
  if (report.stillSince === undefined) return undefined;
  const until = now - at < repeatMs ? now : at;
  return Math.max(0, report.at - report.stillSince) + Math.max(0, until - firstAt);
}

/** Whether every slot of the stage has a pod. Pods of v0.1 do not report the number of slots. */
export function isCovered(heard: readonly Heard[]): boolean {
  const owned = new Set(heard.flatMap(({ report }) => report.slots.map(({ slot }) => slot)));
  return heard.every(({ report }) => owned.size >= (report.stageSlots ?? 0));
}
