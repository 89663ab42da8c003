/**
 * One stage of a pipeline as its Deployment and its pods show it, and what may be concluded from that. Pure.
 *
 * F1  Only who was listening may conclude anything from silence: "not reported" is said after 30 s without a word of that
 *     stage, "gone" of pods that have said so or have no Deployment, and "not heard" when nobody can be heard.
 * F2  Of a stage's reports those of its newest plan count: a pod that is being replaced does not speak for what comes
 *     after it.
 * F6  Of a stage that an operation has stopped or taken away no report is missed.
 */
import type { ReasonOf } from '../../model/conditions.ts';
import type { PipelineStatus } from '../../model/status.ts';
import type { PodReport } from '../../stream/pod-report.ts';
import type { Hearing } from './hearing.ts';

/** The last report of a pod, with times by the controller's clock. */
export interface Heard {
  readonly report: PodReport;
  /** When it was heard first: after that it was only repeated. */
  readonly firstAt: number;
  /** When it was heard last. */
  readonly at: number;
}

/** With its bytes, but for the time at their end: what says the same again is known by them. */
export interface HeardText extends Heard {
  readonly bytes: Uint8Array;
  at: number;
}

export interface StageFact {
  readonly name: string;
  readonly kind: PodReport['kind'];
  readonly wanted: number;
  readonly ready: number;
  /** What its pods say about why they are not ready. */
  readonly why: string | undefined;
  /** An operation has stopped it, to remove it or to start it later: of its pods nothing is expected. */
  readonly isStopped: boolean;
  /** Its Deployment is not there. */
  readonly isMissing: boolean;
  /** When a pod of it has said that it ends. */
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
/** A pod that was heard within this time would have said by now that something moves again. */
const repeatMs = 12_000;

/** F2. */
export function spokesmen(heard: readonly Heard[]): readonly Heard[] {
  const newest = Math.max(...heard.map(({ report }) => report.generation));
  return heard.filter(({ report }) => report.generation === newest);
}

/** F6. A Deployment that is gone while a repair runs is what is being repaired. `wanted`: undefined: there is none. */
export function isStopped(wanted: number | undefined, { operation }: Pick<PipelineStatus, 'operation'>): boolean {
  if (operation === undefined) return false;
  return wanted === undefined ? operation.type !== 'repair' : wanted === 0;
}

/** F6. Without those that are stopped, and whose pods have gone. */
export function speaking(stages: readonly StageFact[]): readonly StageFact[] {
  return stages.filter(({ isStopped, heard }) => !isStopped || heard.length > 0);
}

/** Reasons that SourceConnected, SinkConnected and Flowing share. */
type Silence = Extract<ReasonOf<'Flowing'> & ReasonOf<'SinkConnected'>, 'PodsGone' | 'NotReported' | 'Listening'>;

/** F1: why nothing is known of a stage; undefined: something is. Of one who hears, or will. */
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

/** How long something has waited before the pod without moving. Its own clock tells the beginning, ours the rest. */
export function stillMs({ report, firstAt, at }: Heard, now: number): number | undefined {
  if (report.stillSince === undefined) return undefined;
  const until = now - at < repeatMs ? now : at;
  return Math.max(0, report.at - report.stillSince) + Math.max(0, until - firstAt);
}

/** Whether every slot of the stage is some pod's. Pods of v0.1 do not say how many there are. */
export function isCovered(heard: readonly Heard[]): boolean {
  const owned = new Set(heard.flatMap(({ report }) => report.slots.map(({ slot }) => slot)));
  return heard.every(({ report }) => owned.size >= (report.stageSlots ?? 0));
}
