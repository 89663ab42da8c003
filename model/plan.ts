/**
 * The plan: what a spec means. Compiled, secret-free, a pure function of the spec; the content of ConfigMap
 * `plan-g<n>`.
 *
 * A pod gets only its stage's name; everything else it needs is here. `$(secret:…)` references stay as they are
 * written and are resolved inside the pod.
 */
import type { Json } from './value.ts';

export interface Plan {
  readonly planVersion: 1;
  readonly pipeline: {
    readonly name: string;
    /** Namespace of the resource. */
    readonly namespace: string;
    readonly uid: string;
    readonly pid: string;
    readonly generation: number;
  };
  /** Where the workloads live: the pipeline's own namespace, or that of the resource. */
  readonly workloadNamespace: string;
  readonly isolation: 'Namespace' | 'Shared';
  readonly desiredState: DesiredState;
  readonly deletionPolicy: 'Drain' | 'Immediate' | 'Orphan';
  readonly edges: readonly Edge[];
  readonly stages: readonly Stage[];
  readonly deadLetters: { readonly maxBytes: number; readonly whenFull: 'Block' | 'DropOldest' };
  /** Every key that the spec refers to, once. */
  readonly credentials: readonly CredentialRef[];
}

export type DesiredState = 'Running' | 'Paused' | 'Stopped';

export interface CredentialRef {
  readonly kind: 'secret' | 'configMap';
  readonly name: string;
  readonly key: string;
}

export interface Edge {
  readonly name: string;
  readonly shards: number;
  readonly maxBytes: number;
}

export type Stage = IngestorStage | SinkStage;

interface StageBase {
  /** `ingestor-<source>` or `sink-<sink>`: the label of its pods and its token in subjects. */
  readonly name: string;
  /** Name of its Deployment: the stage's name, or `<pipeline>-<stage>` in a shared namespace. */
  readonly workload: string;
  readonly connector: string;
  /** The connector's part of the spec, with references unresolved. */
  readonly config: Json;
  readonly slots: number;
  readonly replicas: number;
  readonly resources: Resources;
}

export interface Resources {
  readonly requests: { readonly cpu: string; readonly memory: string };
  readonly limits: { readonly memory: string; readonly cpu?: string };
}

export interface IngestorStage extends StageBase {
  readonly kind: 'ingestor';
  readonly source: string;
  readonly writes: string;
  readonly frame: { readonly maxRecords: number; readonly maxBytes: number; readonly lingerMs: number };
}

export interface SinkStage extends StageBase {
  readonly kind: 'sink';
  readonly sink: string;
  readonly reads: string;
  /** Every source that may write to the edge, by name. */
  readonly sources: Readonly<Record<string, SourceShape>>;
  readonly steps: readonly PlannedStep[];
  /**
   * True in one stage of those that share the steps: it alone writes the dead letters of decoding, schema and steps,
   * so that each such record becomes one dead letter however many sinks there are.
   */
  readonly ownsStepFailures: boolean;
  readonly route: Route;
  /** Absent in plans of v0.1, which made dead letters of them. */
  readonly tombstones?: 'Drop' | 'Delete' | 'DeadLetter';
  readonly batch: { readonly maxRecords: number; readonly maxBytes: number; readonly maxDelayMs: number };
}

export interface SourceShape {
  readonly topic: string | null;
  readonly schema: readonly FieldShape[] | null;
}

export interface FieldShape {
  readonly name: string;
  readonly type: FieldType;
  readonly optional: boolean;
}

export type FieldType =
  'string' | 'bool' | 'int64' | 'uint64' | 'float64' | 'decimal' | 'timestamp' | 'object' | 'array' | 'any';

export interface PlannedStep {
  readonly name: string;
  readonly kind: string;
  readonly config: Json;
  /** CEL; false = the record passes this step unchanged. */
  readonly when: string | null;
}

/** A plan has every edge that its stages name: one without is a defect. */
export function edgeOf(plan: Plan, name: string): Edge {
  const edge = plan.edges.find((each) => each.name === name);
  if (edge === undefined) throw new TypeError(`the plan has no edge "${name}"`);
  return edge;
}

/** Stages that write to the edge. */
export function ingestorsOf(plan: Plan, edge: Edge): readonly IngestorStage[] {
  return plan.stages.filter((stage): stage is IngestorStage => stage.kind === 'ingestor' && stage.writes === edge.name);
}

/** Stages that read the edge. */
export function sinksOf(plan: Plan, edge: Edge): readonly SinkStage[] {
  return plan.stages.filter((stage): stage is SinkStage => stage.kind === 'sink' && stage.reads === edge.name);
}

/** A stage that is there, and that a plan of this kind takes off without waiting for what it has left. */
export function givesUp(
  { deletionPolicy, stages }: Pick<Plan, 'deletionPolicy'> & { readonly stages: readonly { readonly name: string }[] },
  stage: string,
): boolean {
  return deletionPolicy === 'Immediate' && !stages.some(({ name }) => name === stage);
}

/** A record goes to this sink if none of `unless` holds and `when` (if any) holds. Expressions are CEL. */
export interface Route {
  readonly unless: readonly string[];
  readonly when: string | null;
}
