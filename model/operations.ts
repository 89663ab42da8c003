/**
 * Every operation on a pipeline: one row each. A new operation is a row here and its workflow in
 * `workflows/operations.ts`, which does not compile without it; phases, conditions, events, preemption and priority
 * follow from the row.
 */
import type { ReasonOf } from './conditions.ts';
import type { DesiredState } from './plan.ts';
import type { Phase } from './status.ts';

/** Desired by a newer generation, or by the deletion of the resource. */
export type Intent = 'delete' | DesiredState;

export interface OperationRow {
  /** Phase of the pipeline while the operation runs. */
  readonly phase: Phase;
  /** Of `Reconciling` and of the Event, while it runs: what the table of conditions says of it is what it does. */
  readonly reason: Exclude<ReasonOf<'Reconciling'>, 'Settled'>;
  /** Reason of the Event when it is done. */
  readonly doneReason: string;
  /** Which intents interrupt it. Nothing interrupts a teardown; a pause does not interrupt itself. */
  readonly yieldsTo: Readonly<Record<Intent, boolean>>;
  /** For Temporal: 1 is served before 2. A person waits for a deletion or a pause. */
  readonly priority: 1 | 2;
}

const toAll = { delete: true, Paused: true, Stopped: true, Running: true } as const;
const toNone = { delete: false, Paused: false, Stopped: false, Running: false } as const;

export const operationTable = {
  provision: {
    phase: 'Provisioning',
    reason: 'Provisioning',
    doneReason: 'Provisioned',
    yieldsTo: toAll,
    priority: 2,
  },
  reconfigure: {
    phase: 'Reconfiguring',
    reason: 'Reconfiguring',
    doneReason: 'Reconfigured',
    yieldsTo: toAll,
    priority: 2,
  },
  repair: {
    phase: 'Repairing',
    reason: 'Repairing',
    doneReason: 'Repaired',
    yieldsTo: toAll,
    priority: 2,
  },
  pause: {
    phase: 'Pausing',
    reason: 'Pausing',
    doneReason: 'Paused',
    yieldsTo: { ...toAll, Paused: false },
    priority: 1,
  },
  stop: {
    phase: 'Pausing',
    reason: 'Stopping',
    doneReason: 'Stopped',
    // To another spec that says so, too: it may give up the sink for which this one waits.
    yieldsTo: toAll,
    priority: 2,
  },
  resume: {
    phase: 'Resuming',
    reason: 'Resuming',
    doneReason: 'Resumed',
    yieldsTo: toAll,
    priority: 2,
  },
  teardown: {
    phase: 'Deleting',
    reason: 'Deleting',
    doneReason: 'Deleted',
    yieldsTo: toNone,
    priority: 1,
  },
} as const satisfies Record<string, OperationRow>;

export type OperationKind = keyof typeof operationTable;

/** Whether `intent` interrupts a running operation of this kind. */
export function mustPreempt(running: OperationKind, intent: Intent): boolean {
  return operationTable[running].yieldsTo[intent];
}
