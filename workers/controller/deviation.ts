/**
 * How the cluster differs from what the last operation left. Pure.
 *
 * D1  While an operation runs, or waits to run, nothing deviates: the cluster is on its way.
 * D2  A running pipeline deviates when a workload is gone or its spec is not as it was left; one that stands still when a
 *     workload has pods. What else was changed of it is put right when it runs again.
 * D3  Credentials count while the pipeline runs: nobody reads them else.
 */
import type { PipelineStatus } from '../../model/status.ts';
import type { Workload } from './workloads.ts';

export type Deviation =
  { readonly is: 'drift'; readonly what: string } | { readonly is: 'credentials'; readonly what: string };

export interface Observed {
  readonly generation: number;
  readonly deleting: boolean;
  readonly status: PipelineStatus;
  readonly workloads: readonly Workload[];
  /** Sources that changed since they were copied. */
  readonly stale: readonly string[];
}

export function deviationOf(observed: Observed): Deviation | undefined {
  const { generation, deleting, status, workloads, stale } = observed;
  if (deleting || status.operation !== undefined || status.observedGeneration !== generation) return undefined;
  switch (status.phase) {
    case 'Running': {
      const what = [...missing(status, workloads), ...workloads.filter(isDrifted).map((each) => changed(status, each))];
      if (what.length > 0) return { is: 'drift', what: what.join(' ') };
      return stale.length === 0 ? undefined : { is: 'credentials', what: stale.join(', ') };
    }
    case 'Paused':
    case 'Stopped': {
      const awake = workloads.filter(({ wanted }) => wanted > 0);
      const what = awake.map(({ name, wanted }) => `Deployment ${name} was scaled to ${wanted}.`).join(' ');
      return awake.length === 0 ? undefined : { is: 'drift', what };
    }
    default:
      return undefined;
  }
}

function missing({ stages = [] }: PipelineStatus, workloads: readonly Workload[]): string[] {
  return stages
    .filter(({ name }) => !workloads.some(({ stage }) => stage === name))
    .map(({ name }) => `The Deployment of ${name} was deleted.`);
}

function isDrifted({ isChangedByOthers }: Workload): boolean {
  return isChangedByOthers;
}

function changed({ stages = [] }: PipelineStatus, { name, stage, wanted }: Workload): string {
  const left = stages.find((each) => each.name === stage)?.replicas;
  return left === undefined || left === wanted
    ? `Deployment ${name} was changed.`
    : `Deployment ${name} was scaled from ${left} to ${wanted}.`;
}
