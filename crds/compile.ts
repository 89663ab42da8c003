/**
 * From a spec to its plan.
 *
 * K1  Pure: the same pipeline gives the same plan, to the byte.
 * K2  Total on valid specs; throws a MillraceError MR_SPEC_… for others.
 * K3  No secret: references stay as written.
 */
import { createHash } from 'node:crypto';
import { findReferences } from '../model/credentials.ts';
import { mr } from '../model/errors.ts';
import { bytes, milliseconds } from '../model/quantities.ts';
import { toJson } from '../model/json.ts';
import { ingestorName, namespaceOf, pidOf } from '../model/names.ts';
import type { Pipeline, PipelineSpec, SinkSpec, SourceSpec } from './pipeline.ts';
import type {
  CredentialRef,
  IngestorStage,
  Plan,
  PlannedStep,
  Resources,
  Route,
  SinkStage,
  SourceShape,
} from '../model/plan.ts';
import { ruleIssues } from './rules.ts';
import { membersOf, sinkKinds, sourceKinds, stepKinds } from './unions.ts';

/** The edge between sources and sinks. */
export const recordsEdge = 'records';

/** A pod's name, so the workload's name and a suffix, must fit a label of 63 characters. */
const maxWorkloadName = 50;

export function compile(pipeline: Pipeline): Plan {
  const { spec } = pipeline;
  const wrong = ruleIssues(spec).find(({ severity }) => severity === 'error');
  if (wrong !== undefined) throw wrong.error;
  const identity = identityOf(pipeline);
  const stages = [
    ...spec.sources.map((source) => ingestorStage(source, pipeline)),
    ...spec.sinks.map((sink, i) => sinkStage(sink, i, pipeline)),
  ];
  return {
    planVersion: 1,
    pipeline: identity,
    workloadNamespace: spec.isolation === 'Shared' ? identity.namespace : namespaceOf(identity.pid),
    isolation: spec.isolation,
    desiredState: spec.desiredState,
    deletionPolicy: spec.deletionPolicy,
    edges: [{ name: recordsEdge, shards: spec.buffer.shards, maxBytes: bytes(spec.buffer.maxBytes) }],
    stages,
    deadLetters: { maxBytes: bytes(spec.deadLetters.maxBytes), whenFull: spec.deadLetters.whenFull },
    credentials: uniqueRefs(stages.flatMap(({ config }) => findReferences(config).refs)),
  };
}

function identityOf({ metadata }: Pipeline): Plan['pipeline'] {
  const { name, namespace, uid, generation } = metadata;
  if (namespace === undefined || uid === undefined || generation === undefined) {
    throw mr('MR_SPEC_INVALID', {
      path: 'metadata',
      problem: 'must have namespace, uid and generation, as Kubernetes sets them',
    });
  }
  return { name, namespace, uid, pid: pidOf(name, uid), generation };
}

function ingestorStage(source: SourceSpec, pipeline: Pipeline): IngestorStage {
  const { frame, resources } = pipeline.spec;
  const name = ingestorName(source.name);
  return {
    kind: 'ingestor',
    name,
    workload: workloadName(name, pipeline),
    ...connectorOf(source, sourceKinds),
    slots: source.slots,
    replicas: source.replicas,
    resources: plannedResources(resources),
    source: source.name,
    writes: recordsEdge,
    frame: { maxRecords: frame.maxRecords, maxBytes: bytes(frame.maxBytes), lingerMs: milliseconds(frame.linger) },
  };
}

function sinkStage(sink: SinkSpec, position: number, pipeline: Pipeline): SinkStage {
  const { spec } = pipeline;
  const name = `sink-${sink.name}`;
  const { batch } = sink;
  return {
    kind: 'sink',
    name,
    workload: workloadName(name, pipeline),
    ...connectorOf(sink, sinkKinds),
    slots: spec.buffer.shards,
    replicas: sink.replicas,
    resources: plannedResources(spec.resources),
    sink: sink.name,
    reads: recordsEdge,
    sources: Object.fromEntries(spec.sources.map((source) => [source.name, sourceShape(source)])),
    steps: plannedSteps(spec),
    ownsStepFailures: position === 0,
    tombstones: sink.tombstones,
    route: routeOf(spec.sinks, position),
    batch: { maxRecords: batch.maxRecords, maxBytes: bytes(batch.maxBytes), maxDelayMs: milliseconds(batch.maxDelay) },
  };
}

function connectorOf(value: object, kinds: readonly string[]): Pick<SinkStage, 'connector' | 'config'> {
  const [member] = membersOf(value, kinds);
  if (member === undefined) throw new TypeError('ruleIssues lets no source or sink without connector pass (R1)');
  return { connector: member.kind, config: toJson(member.config) };
}

function sourceShape(source: SourceSpec): SourceShape {
  const { config } = connectorOf(source, sourceKinds);
  const topic: unknown = typeof config === 'object' && config !== null && 'topic' in config ? config.topic : null;
  return { topic: typeof topic === 'string' ? topic : null, schema: source.schema ?? null };
}

function plannedSteps(spec: PipelineSpec): readonly PlannedStep[] {
  return spec.steps.flatMap((step) =>
    membersOf(step, stepKinds).map(({ kind, config }) => ({
      name: step.name,
      kind,
      config: toJson(config),
      when: step.when ?? null,
    })),
  );
}

/**
 * Sinks with `when` are tried in order and the first that matches gets the record; `otherwise` gets the records that
 * none of them matched; a sink with neither gets a copy of every record.
 */
function routeOf(sinks: readonly SinkSpec[], position: number): Route {
  const sink = sinks[position];
  const earlier = sinks.slice(0, position).flatMap(({ when }) => (when === undefined ? [] : [when]));
  const isExclusive = sink?.when !== undefined || sink?.otherwise === true;
  return { unless: isExclusive ? earlier : [], when: sink?.when ?? null };
}

function plannedResources({ requests, limits }: PipelineSpec['resources']): Resources {
  const { cpu, memory } = limits;
  return {
    requests: { cpu: requests.cpu, memory: requests.memory },
    limits: cpu === undefined ? { memory } : { memory, cpu },
  };
}

function workloadName(stage: string, { metadata, spec }: Pipeline): string {
  const full = spec.isolation === 'Shared' ? `${metadata.name}-${stage}` : stage;
  if (full.length <= maxWorkloadName) return full;
  const mark = createHash('sha256').update(full).digest('hex').slice(0, 6);
  return `${full.slice(0, maxWorkloadName - 7)}-${mark}`;
}

function uniqueRefs(refs: readonly CredentialRef[]): readonly CredentialRef[] {
  return [...new Map(refs.map((ref) => [JSON.stringify([ref.kind, ref.name, ref.key]), ref])).values()];
}
