/** A pipeline in TypeScript: the compiler knows every field, and defaults may be left out. */
import { apiVersion, kind } from '../model/names.ts';
import type { PipelineInput } from '../crds/pipeline.ts';

export type SpecInput = PipelineInput['spec'];

export interface PipelineDefinition {
  readonly apiVersion: typeof apiVersion;
  readonly kind: typeof kind;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: SpecInput;
}

export interface DefineOptions {
  readonly name: string;
  /** Default `default`. */
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec: SpecInput;
}

export function definePipeline({
  name,
  namespace = 'default',
  labels,
  annotations,
  spec,
}: DefineOptions): PipelineDefinition {
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) },
    spec,
  };
}
