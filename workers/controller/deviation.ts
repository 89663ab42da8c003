/**
 * How the cluster differs from what the last operation left. Pure.
 *
 * D1  While an operation runs, or waits to run, nothing deviates: the cluster is still changing.
 * D2  A running pipeline deviates when a workload is missing or was changed; a paused or stopped one when a workload
 *     has pods. Other changes to the latter are corrected when it runs again.
 * D3  Changed credentials count only while the pipeline runs: without pods, nothing reads them.
 * D4  A pipeline whose last operation failed deviates like a running one: somebody has changed the cluster since, and
 *     the operation is retried. It is reported once per operation, and less and less often (`./deviation-memory.ts`).
 * D5  A missing stream is a deviation whatever the desired state. The operation that finds it missing says so in the
 *     status and waits for a decision: nothing recreates it automatically.
 * D6  A status without `observedGeneration`, while workloads exist, was removed by somebody: an operation writes into
 *     the status before it creates any workload.
 * D7  When somebody else has written a field of the lifecycle into the status, an operation writes all of them again.
 *     The controller rewrites its own fields without one (`./data-status.ts`).
 */
import type { Foreign } from '../../kubernetes/status-owners.ts';
import { conditionsOf } from '../../model/conditions.ts';
import type { MillraceError } from '../../model/errors.ts';
import type { PipelineStatus } from '../../model/status.ts';
import { listedStages } from './listed-stages.ts';
import type { Workload } from './workloads.ts';

export interface Deviation {
  readonly is: 'drift' | 'credentials';
  /** A sentence for people. */
  readonly what: string;
  /** Something is missing, or runs and should not: repaired before mere differences. */
  readonly isUrgent: boolean;
}

export interface Observed {
  readonly generation: number;
  readonly deleting: boolean;
  readonly status: PipelineStatus;
  /** Parts of the status that somebody else has written. */
  readonly foreign?: readonly Foreign[];
  readonly workloads: readonly Workload[];
  /** Secrets and ConfigMaps that changed since they were copied. */
  readonly stale: readonly string[];
  /** A stream that is missing. */
  readonly lost: MillraceError | undefined;
}

/** Undefined when nothing deviates. */
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
  ...['phase', 'observedGeneration', 'acceptedGeneration', 'opSeq', 'operation'],
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

function missing(status: PipelineStatus, workloads: readonly Workload[]): string[] {
  return listedStages(status)
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

/** Number of pods as the last operation left it; undefined when the status does not name the stage. */
function leftAt({ stages = [] }: PipelineStatus, { stage }: Workload): number | undefined {
  return stages.find(({ name }) => name === stage)?.replicas;
}
