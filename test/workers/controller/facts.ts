/** Builders for what the controller knows of a pipeline: a healthy one, and what is different. */
import type { PipelineStatus } from '../../../model/status.ts';
import type { PodReport } from '../../../stream/pod-report.ts';
import { claimsOf, type ConditionsInput } from '../../../workers/controller/conditions.ts';
import type { Heard, StageFact } from '../../../workers/controller/stage-fact.ts';

export const now = 1_700_000_000_000;
const at = '2026-01-01T00:00:00Z';

type Kind = PodReport['kind'];

export const stageOf: Readonly<Record<Kind, string>> = { ingestor: 'ingestor-orders', sink: 'sink-warehouse' };

/** Carried out and running; `changes` of the lifecycle's conditions by type. */
export function status(
  some: Partial<PipelineStatus> = {},
  changes: Record<string, [status: 'True' | 'False' | 'Unknown', reason: string]> = {},
): PipelineStatus {
  const settled = {
    Reconciling: ['False', 'Settled'],
    Stalled: ['False', 'Settled'],
    Accepted: ['True', 'Valid'],
    Provisioned: ['True', 'Running'],
  } as const;
  const conditions = Object.entries({ ...settled, ...changes }).map(([type, [value, reason]]) => ({
    type,
    reason,
    status: value,
    message: `because ${reason}`,
    observedGeneration: 1,
    lastTransitionTime: at,
  }));
  const stages = Object.values(stageOf).map((name) => ({ name, replicas: 1, ready: 1 }));
  return { observedGeneration: 1, phase: 'Running', stages, conditions, ...some };
}

/** A pod that is connected, and through which records move. */
export function report(kind: Kind, some: Partial<PodReport> = {}): PodReport {
  return {
    ...{ pid: 'orders-abc123', stage: stageOf[kind], kind, pod: `${stageOf[kind]}-1`, generation: 1, at: now },
    ...{ recordsIn: 0, recordsOut: 0, deadLetters: 0, lag: 0, stageSlots: 1 },
    slots: [{ slot: 0, position: null, lag: 0 }],
    connection: { state: 'Connected', since: 0 },
    flow: { state: 'Flowing' },
    ...some,
  };
}

export function heard(told: PodReport, some: Partial<Heard> = {}): Heard {
  return { report: told, firstAt: now, at: now, ...some };
}

export function stage(kind: Kind, some: Partial<StageFact> = {}): StageFact {
  const ready = {
    wanted: 1,
    ready: 1,
    trouble: undefined,
    freeSince: undefined,
    isStopped: false,
    isMissing: false,
    leftAt: undefined,
  };
  return { name: stageOf[kind], kind, ...ready, heard: [heard(report(kind))], ...some };
}

export function input(some: Partial<ConditionsInput> = {}): ConditionsInput {
  return {
    now,
    generation: 1,
    deleting: false,
    status: status(),
    hearing: 'steady',
    isCutOff: false,
    nats: 'nats.example:4222',
    stages: [stage('ingestor'), stage('sink')],
    deadLetters: { records: 0, dropped: 0, byCode: [] },
    lost: undefined,
    untold: undefined,
    ...some,
  };
}

/** `False SinkUnreachable`, by type. */
export function allShown(some: Partial<ConditionsInput>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    claimsOf(input(some)).map(({ type, status: value, reason }) => [type, `${value} ${reason}`]),
  );
}

export function shown(some: Partial<ConditionsInput>, type: string): string {
  return allShown(some)[type] ?? '';
}

export function messageOf(some: Partial<ConditionsInput>, type: string): string {
  return claimsOf(input(some)).find((each) => each.type === type)?.message ?? '';
}
