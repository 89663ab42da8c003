/**
 * Whether records move, from what the pods of all stages report. Pure.
 *
 * L1  What a pod waits for comes first; of several waits, the one that must end before the others matter: a decision of
 *     a person, NATS, dead letters, the edge, the system outside (`rankOfWait`).
 * L2  A backlog that has not moved for `stuckMs` is reported, whatever else the pods say (I14).
 * L3  Of a silent stage nothing is reported but its silence.
 * L4  "There is nothing to read" needs every slot of every stage: each has a live pod, is connected, and knows that it
 *     has no backlog.
 */
import { claim, type Claim } from '../../model/conditions.ts';
import { reasonOf } from '../../model/errors.ts';
import { rankOfWait, type PodReport } from '../../stream/pod-report.ts';
import type { Hearing } from './hearing.ts';
import { silenceOf, whyGone, speaking, spokesmen, stillMs, stuckMs, type StageFact } from './stage-fact.ts';

export interface FlowInput {
  readonly now: number;
  readonly hearing: Hearing;
  /** NATS as the controller reaches it. */
  readonly nats: string;
  readonly stages: readonly StageFact[];
}

export function flowing({ now, hearing, nats, stages }: FlowInput): Claim<'Flowing'> {
  if (stages.length === 0) return claim('Flowing', 'Starting');
  const expected = speaking(stages);
  if (expected.length === 0) return claim('Flowing', 'NoPods');
  if (hearing === 'deaf') return claim('Flowing', 'NotHeard', { server: nats });
  const views = expected.map((stage) => ({ ...stage, heard: spokesmen(stage.heard) }));
  return (
    waiting(views) ??
    stuck(views, now) ??
    silent(views, hearing, now) ??
    free(views, now) ??
    beginning(views) ??
    moving(views) ??
    connecting(views) ??
    behind(views) ??
    quiet(views) ??
    claim('Flowing', 'Idle')
  );
}

/** L1. */
function waiting(stages: readonly StageFact[]): Claim<'Flowing'> | undefined {
  const [first] = reportsOf(stages)
    .filter(({ flow }) => flow.state === 'Waiting')
    .sort((a, b) => rankOfWait(a.flow) - rankOfWait(b.flow));
  if (first === undefined) return undefined;
  const { pod, flow } = first;
  const base = claim('Flowing', 'Waiting', { pod, what: flow.waitingOn ?? 'something' });
  return {
    ...base,
    reason: flow.code === undefined ? base.reason : reasonOf(flow.code),
    message: flow.message ?? base.message,
  };
}

/** L2. */
function stuck(stages: readonly StageFact[], now: number): Claim<'Flowing'> | undefined {
  for (const { name, heard } of stages) {
    const longest = Math.max(...heard.map((each) => stillMs(each, now) ?? 0));
    if (longest >= stuckMs) return claim('Flowing', 'NoProgress', { stage: name, since: timeOf(now - longest) });
  }
  return undefined;
}

/** L3. */
function silent(stages: readonly StageFact[], hearing: Hearing, now: number): Claim<'Flowing'> | undefined {
  for (const stage of stages) {
    const silence = silenceOf(stage, hearing, now);
    if (silence === 'PodsGone') return claim('Flowing', silence, { stage: stage.name, why: whyGone(stage) });
    if (silence !== undefined) return claim('Flowing', silence, { stage: stage.name });
  }
  return undefined;
}

/** A slot changes hands within seconds. */
function free(stages: readonly StageFact[], now: number): Claim<'Flowing'> | undefined {
  const stage = stages.find(({ freeSince }) => freeSince !== undefined && now - freeSince >= stuckMs);
  if (stage?.freeSince === undefined) return undefined;
  return claim('Flowing', 'SlotsFree', { stage: stage.name, since: timeOf(stage.freeSince) });
}

function moving(stages: readonly StageFact[]): Claim<'Flowing'> | undefined {
  return reportsOf(stages).some(({ flow }) => flow.state === 'Flowing') ? claim('Flowing', 'Flowing') : undefined;
}

/** A pod that starts while others of its stage work is not worth a report. */
function beginning(stages: readonly StageFact[]): Claim<'Flowing'> | undefined {
  const hasBegun = ({ heard }: StageFact) => heard.some(({ report }) => report.flow.state !== 'Starting');
  return stages.every(hasBegun) ? undefined : claim('Flowing', 'Starting');
}

function connecting(stages: readonly StageFact[]): Claim<'Flowing'> | undefined {
  const report = reportsOf(stages).find(({ connection }) => connection.state !== 'Connected');
  return report === undefined ? undefined : claim('Flowing', 'Connecting', { pod: report.pod });
}

function behind(stages: readonly StageFact[]): Claim<'Flowing'> | undefined {
  const stage = stages.find(({ heard }) => heard.some(({ report }) => (report.lag ?? 0) > 0));
  return stage === undefined ? undefined : claim('Flowing', 'Behind', { stage: stage.name });
}

/** L4. */
function quiet(stages: readonly StageFact[]): Claim<'Flowing'> | undefined {
  const stage = stages.find(
    ({ heard, freeSince }) => freeSince !== undefined || heard.some(({ report }) => report.lag === undefined),
  );
  return stage === undefined ? undefined : claim('Flowing', 'Quiet', { stage: stage.name });
}

function reportsOf(stages: readonly StageFact[]): PodReport[] {
  return stages.flatMap(({ heard }) => heard.map(({ report }) => report));
}

/** To the second, so that the sentence stays as it is while nothing moves. */
function timeOf(at: number): string {
  return `${new Date(Math.floor(at / 1_000) * 1_000).toISOString().slice(0, 19)}Z`;
}
