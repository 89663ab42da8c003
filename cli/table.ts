/** The table of `millrace get`: the printer columns of the CRD, made from the resource. */
import type { StoredPipeline } from '../client/wire.ts';
import { conditionOf } from '../client/settled.ts';
import { age } from './age.ts';
import { columns } from './columns.ts';

export interface TableOptions {
  readonly wide: boolean;
  readonly allNamespaces: boolean;
}

export function pipelineTable(pipelines: readonly StoredPipeline[], options: TableOptions, nowMs: number): string {
  return columns(
    header(options),
    pipelines.map((pipeline) => row(pipeline, options, nowMs)),
  );
}

export function header({ wide, allNamespaces }: TableOptions): string[] {
  return [
    ...(allNamespaces ? ['NAMESPACE'] : []),
    'NAME',
    'READY',
    'STATE',
    'STAGES',
    'DEADLETTERS',
    'AGE',
    ...(wide ? ['MESSAGE'] : []),
  ];
}

export function row(pipeline: StoredPipeline, { wide, allNamespaces }: TableOptions, nowMs: number): string[] {
  const { metadata, status } = pipeline;
  const ready = conditionOf(status, 'Ready');
  const stages = status?.stages ?? [];
  // A stage that should have no pods, because the pipeline is paused or stopped, does not count.
  const wanted = stages.filter((stage) => stage.replicas > 0);
  const whole = wanted.filter((stage) => stage.ready >= stage.replicas).length;
  return [
    ...(allNamespaces ? [metadata.namespace ?? 'default'] : []),
    metadata.name,
    ready?.status ?? 'Unknown',
    ready?.reason ?? 'Pending',
    stages.length === 0 ? '' : `${whole}/${wanted.length}`,
    status?.deadLetters ? String(status.deadLetters.records) : '',
    age(metadata.creationTimestamp, nowMs),
    ...(wide ? [ready?.message ?? ''] : []),
  ];
}
