/**
 * How the cluster differs from what the last operation left. Pure.
 *
 * D1  While an operation runs, or waits to run, nothing deviates: the cluster is on its way.
 * D2  A running pipeline deviates when a workload is gone or its spec is not as it was left; one that stands still when a
 *     workload has pods. What else was changed of it is put right when it runs again.
 * D3  Credentials count while the pipeline runs: nobody reads them else.
 * D4  One whose last operation has failed deviates as a running one does: somebody has changed the cluster since, and what has
 *     failed is tried again. It is told once for each operation, and more and more seldom (`./deviation-memory.ts`).
 * D5  Whatever it should do, its streams are there. The operation that finds one gone says so in the status, and waits for a
 *     decision: nothing makes it again by itself.
 * D6  A status that says of no generation that it was carried out, beside workloads that are there, was taken away: an
 *     operation says in the status that it runs before it makes any.
 * D7  A status in which another has written what the lifecycle says is put right by an operation, which says all of it again.
 *     What the controller says itself it just says again (`./data-status.ts`).
 */
import type { Foreign } from '../../kubernetes/status-owners.ts';
import { conditionsOf } from '../../model/conditions.ts';
import type { MillraceError } from '../../model/errors.ts';
import type { PipelineStatus } from '../../model/status.ts';
import type { Workload } from './workloads.ts';

export interface Deviation {
  readonly is: 'drift' | 'credentials';
  /** A sentence for people. */
  readonly what: string;
  /** Something is missing, or runs that should not: it comes before what is merely different. */
  readonly isUrgent: boolean;
}

export interface Observed {
  readonly generation: number;
  readonly deleting: boolean;
  readonly status: PipelineStatus;
  /** Parts of the status that another has written. */
  readonly foreign?: readonly Foreign[];
  readonly workloads: readonly Workload[];
  /** Sources that changed since they were copied. */
  readonly stale: readonly string[];
  /** A stream that is gone. */
  readonly lost: MillraceError | undefined;
}

export function deviationOf(observed: Observed): Deviation | undefined {
  const { generation, deleting, status, workloads, stale, lost, foreign = [] } = observed;
  if (deleting || status.operation !== undefined) return undefined;
  if (status.observedGeneration === undefined && workloads.length > 0)
    return { is: 'drift', what: 'The status was taken away.', isUrgent: false };
  const written = writtenByOthers(foreign);
  const mayBeKnown = status.observedGeneration === generation || isForeign(foreign, 'observedGeneration');
  if (written !== undefined && mayBeKnown && workloads.length > 0)
    return { is: 'drift', what: written, isUrgent: false };
  if (status.observedGeneration !== generation) return undefined;
  const isGone = lost === undefined ? [] : [`Stream ${lost.params['stream']} is gone.`];
  switch (status.phase) {
    case 'Running':
    case 'NotReady':
    case 'Failed': {
      const gone = [...isGone, ...missing(status, workloads)];
      const drifted = workloads.filter(({ isChangedByOthers }) => isChangedByOthers);
      const what = [...gone, ...drifted.map((each) => changed(status, each))];
      const isUrgent = gone.length > 0 || drifted.some((each) => isScaled(status, each));
      if (what.length > 0) return { is: 'drift', what: what.join(' '), isUrgent };
      return stale.length === 0 ? undefined : { is: 'credentials', what: stale.join(', '), isUrgent: false };
    }
    case 'Paused':
    case 'Stopped': {
      const awake = workloads.filter(({ wanted }) => wanted > 0);
      const scaled = awake.map(({ name, wanted }) => `Deployment ${name} was scaled to ${wanted}.`);
      const what = [...isGone, ...scaled].join(' ');
      return what === '' ? undefined : { is: 'drift', what, isUrgent: true };
    }
    default:
      return undefined;
  }
}

const lifecycles: ReadonlySet<string> = new Set([
  ...['phase', 'observedGeneration', 'acceptedGeneration', 'opSeq'],
  ...conditionsOf('lifecycle').map((type) => `conditions/${type}`),
]);

/** D7. */
function writtenByOthers(foreign: readonly Foreign[]): string | undefined {
  const said = foreign.filter(({ part }) => lifecycles.has(part));
  if (said.length === 0) return undefined;
  const managers = [...new Set(said.map(({ manager }) => manager))].join(', ');
  return `The status was changed by ${managers}: ${said.map(({ part }) => part).join(', ')}.`;
}

function isForeign(foreign: readonly Foreign[], wanted: string): boolean {
  return foreign.some(({ part }) => part === wanted);
}

function missing({ stages = [] }: PipelineStatus, workloads: readonly Workload[]): string[] {
  return stages
    .filter(({ name }) => !workloads.some(({ stage }) => stage === name))
    .map(({ name }) => `The Deployment of ${name} was deleted.`);
}

function changed(status: PipelineStatus, workload: Workload): string {
  const { name, wanted } = workload;
  return isScaled(status, workload)
    ? `Deployment ${name} was scaled from ${leftAt(status, workload) ?? 0} to ${wanted}.`
    : `Deployment ${name} was changed.`;
}

function isScaled(status: PipelineStatus, workload: Workload): boolean {
  const left = leftAt(status, workload);
  return left !== undefined && left !== workload.wanted;
}

/** Number of pods as the last operation left it. */
function leftAt({ stages = [] }: PipelineStatus, { stage }: Workload): number | undefined {
  return stages.find(({ name }) => name === stage)?.replicas;
}
