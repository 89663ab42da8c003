/** Reads the resource: its spec as a plan, or the typed reason why it cannot be one. */
import { compile } from '../crds/compile.ts';
import { mr } from '../model/errors.ts';
import type { LifecycleActivities, Location, PipelineRef, SpecSummary } from '../model/lifecycle.ts';
import { firstError } from '../crds/lint.ts';
import { kind, labels, namespaceOf, pidOf } from '../model/names.ts';
import { pipelineSchema, type Pipeline } from '../crds/pipeline.ts';
import type { Plan } from '../model/plan.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { toFailure } from './failures.ts';
import type { Kube } from '../kubernetes/kube.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { ownStatus } from './status/merge.ts';
import { asStep } from './step.ts';

export function specActivities(deps: ActivityDependencies): Pick<LifecycleActivities, 'fetchSpec' | 'locatePipeline'> {
  const { kube } = deps;
  return {
    async fetchSpec({ pipeline }) {
      try {
        const resource = await readResource(kube, pipeline);
        return summaryOf(compile(parsePipeline(resource)), resource);
      } catch (error) {
        throw toFailure(error);
      }
    },

    locatePipeline: asStep(deps, async ({ op }) => {
      const resource = await kube.get(kind, op.pipeline.name, op.pipeline.namespace);
      const exists = resource?.metadata.uid === op.pipeline.uid;
      return locate(kube, op.pipeline, exists ? resource : undefined);
    }),
  };
}

/** The resource with this uid. Throws MR_PIPELINE_REPLACED when it is gone. */
export async function readResource(kube: Kube, pipeline: PipelineRef): Promise<KubeObject> {
  const resource = await kube.get(kind, pipeline.name, pipeline.namespace);
  if (resource?.metadata.uid !== pipeline.uid) throw mr('MR_PIPELINE_REPLACED', { ...pipeline });
  return resource;
}

/** The resource as a typed pipeline. Throws the first error of lint, so that the words are the same everywhere. */
export function parsePipeline(resource: KubeObject): Pipeline {
  const { status: _, ...written } = resource;
  const parsed = pipelineSchema.safeParse(written);
  if (parsed.success) return parsed.data;
  throw firstError(written) ?? mr('MR_SPEC_INVALID', { path: 'the document', problem: 'is not a pipeline' });
}

function summaryOf(plan: Plan, resource: KubeObject): SpecSummary {
  const sources = plan.stages.filter((stage) => stage.kind === 'ingestor').map((stage) => stage.connector);
  const sinks = plan.stages.filter((stage) => stage.kind === 'sink').map((stage) => stage.connector);
  return {
    generation: plan.pipeline.generation,
    deleting: resource.metadata.deletionTimestamp != null,
    desiredState: plan.desiredState,
    deletionPolicy: plan.deletionPolicy,
    isolation: plan.isolation,
    workloadNamespace: plan.workloadNamespace,
    pid: plan.pipeline.pid,
    kinds: [...new Set([...sources, ...sinks])].sort(),
    description: `${listed(sources)} → ${listed(sinks)}`,
    stages: plan.stages.map(({ name, kind: stageKind, replicas }) => ({ name, kind: stageKind, replicas })),
    opSeq: ownStatus(resource).opSeq ?? 0,
  };
}

function listed(connectors: readonly string[]): string {
  return [...new Set(connectors)].join(', ');
}

async function locate(kube: Kube, pipeline: PipelineRef, resource: KubeObject | undefined): Promise<Location> {
  const pid = pidOf(pipeline.name, pipeline.uid);
  const spec = resource === undefined ? undefined : pipelineSchema.shape.spec.safeParse(resource['spec']);
  const isolation = spec?.success ? spec.data.isolation : await isolationFound(kube, pipeline, pid);
  return {
    exists: resource !== undefined,
    generation: resource?.metadata.generation ?? 0,
    pid,
    isolation,
    workloadNamespace: isolation === 'Namespace' ? namespaceOf(pid) : pipeline.namespace,
    // Nobody is left who could say that records may be given up, nor who could wait for them.
    deletionPolicy: spec?.success ? spec.data.deletionPolicy : 'Immediate',
  };
}

/** For a spec that does not parse: what the cluster shows. */
async function isolationFound(kube: Kube, pipeline: PipelineRef, pid: string): Promise<Location['isolation']> {
  const own = await kube.get('Namespace', namespaceOf(pid));
  if (own?.metadata.labels?.[labels.pipelineUid] === pipeline.uid) return 'Namespace';
  const beside = await kube.list('Deployment', {
    namespace: pipeline.namespace,
    labels: { [labels.pipelineUid]: pipeline.uid },
  });
  return beside.items.length > 0 ? 'Shared' : 'Namespace';
}
