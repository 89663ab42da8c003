/** Reads the resource: its spec as a plan, or the typed reason why it cannot be one. */
import { z } from 'zod';
import { compile } from '../crds/compile.ts';
import { firstError } from '../crds/lint.ts';
import { pipelineSchema, type Pipeline } from '../crds/pipeline.ts';
import type { Kube } from '../kubernetes/kube.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { MillraceError, mr, problemOf } from '../model/errors.ts';
import type { LifecycleActivities, Location, PipelineRef, RefusedSpec, SpecSummary } from '../model/lifecycle.ts';
import { annotations, labels, namespaceOf, pidOf } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { assertTakesBack } from '../stream/returning-source.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { SpecRefused, toFailure } from './failures.ts';
import { belongsTo, ownedKinds } from './kubernetes/owned.ts';
import { latestPlan, planConfigMaps, type PlanPlace } from './kubernetes/stored-plan.ts';
import { findResource, isBeingDeleted, readResource } from './proof.ts';
import { ownStatus } from './status/merge.ts';

export function specActivities(deps: ActivityDependencies): Pick<LifecycleActivities, 'fetchSpec' | 'locatePipeline'> {
  const { kube, cluster } = deps;
  return {
    async fetchSpec({ pipeline, plan }) {
      try {
        const resource = await readResource(kube, pipeline);
        if (plan === 'inForce') return summaryOf(await planInForce(kube, pipeline), resource, cluster);
        const read = planIn(deps, resource);
        if (isNews(read, resource)) await refuseByStreams(deps, read, resource);
        return summaryOf(read, resource, cluster);
      } catch (error) {
        throw toFailure(error);
      }
    },

    /** Not `asStep`: the pipeline may not be this operation's to touch, so nothing is written to its status. */
    async locatePipeline({ op }) {
      try {
        return await locate(kube, op.pipeline, await findResource(kube, op.pipeline));
      } catch (error) {
        throw toFailure(error, op.kind);
      }
    },
  };
}

/** The resource as a typed pipeline. Throws the first error of lint, so that the words are the same everywhere. */
export function parsePipeline(resource: KubeObject): Pipeline {
  const { status: _, ...written } = resource;
  const parsed = pipelineSchema.safeParse(written);
  if (parsed.success) return parsed.data;
  throw firstError(written) ?? mr('MR_SPEC_INVALID', { path: 'the document', problem: 'is not a pipeline' });
}

/** Throws {@link SpecRefused}, which carries what is still known of the spec. */
function planIn({ kube, cluster }: ActivityDependencies, resource: KubeObject): Plan {
  const { onlyIn } = kube.transport;
  try {
    const plan = compile(parsePipeline(resource));
    if (plan.isolation === 'Namespace' && onlyIn !== undefined) {
      const { namespace, name } = plan.pipeline;
      throw mr('MR_ISOLATION_NOT_ALLOWED', { namespace, name, watched: onlyIn.join(', ') });
    }
    return plan;
  } catch (error) {
    if (error instanceof MillraceError && error.handling === 'refuse') {
      throw new SpecRefused(error, refusedSpec(resource, cluster));
    }
    throw error;
  }
}

/**
 * It should move records, which another plan has moved until now. The edges of a paused or deleted one are not
 * checked.
 */
function isNews(plan: Plan, resource: KubeObject): boolean {
  const { acceptedGeneration, streams = [] } = ownStatus(resource);
  const isToMove = plan.desiredState === 'Running' && !isBeingDeleted(resource);
  return isToMove && streams.length > 0 && acceptedGeneration !== plan.pipeline.generation;
}

/**
 * A problem that only the streams know refuses the spec like one in the spec itself: before anything is done for it.
 * While the streams cannot be asked, the step that registers the plan finds the problem.
 */
async function refuseByStreams({ streams, log, cluster }: ActivityDependencies, plan: Plan, resource: KubeObject) {
  try {
    await assertTakesBack(streams(), plan);
  } catch (error) {
    if (error instanceof MillraceError && error.handling === 'refuse')
      throw new SpecRefused(error, refusedSpec(resource, cluster));
    log.warn({ pid: plan.pipeline.pid, problem: problemOf(error) }, 'the streams were not asked about the spec');
  }
}

/** The newest plan that was applied. Throws MR_PLAN_MISSING. */
async function planInForce(kube: Kube, pipeline: PipelineRef): Promise<Plan> {
  const pid = pidOf(pipeline.name, pipeline.uid);
  const isolation = await isolationFound(kube, pipeline, pid);
  const workloadNamespace = placeOf(isolation, pipeline, pid);
  const plan = await latestPlan(kube, { op: { pipeline }, isolation, workloadNamespace });
  if (plan === undefined) throw mr('MR_PLAN_MISSING', { namespace: pipeline.namespace, name: pipeline.name });
  return plan;
}

/** What can be read of a spec that is refused as a whole. The API server fills in the defaults. */
const wishes = z.looseObject({
  desiredState: z.enum(['Running', 'Paused', 'Stopped']).optional().catch(undefined),
  deletionPolicy: z.enum(['Drain', 'Immediate', 'Orphan']).optional().catch(undefined),
  isolation: z.enum(['Namespace', 'Shared']).optional().catch(undefined),
});

export function wishesOf(resource: KubeObject): z.output<typeof wishes> {
  const spec = wishes.safeParse(resource['spec']);
  return spec.success ? spec.data : {};
}

function refusedSpec(resource: KubeObject, cluster: string): RefusedSpec {
  const { acceptedGeneration = 0, opSeq = 0 } = ownStatus(resource);
  return {
    generation: resource.metadata.generation ?? 0,
    deleting: isBeingDeleted(resource),
    desiredState: wishesOf(resource).desiredState ?? null,
    acceptedGeneration,
    opSeq,
    cluster,
  };
}

function summaryOf(plan: Plan, resource: KubeObject, cluster: string): SpecSummary {
  const sources = plan.stages.filter((stage) => stage.kind === 'ingestor').map((stage) => stage.connector);
  const sinks = plan.stages.filter((stage) => stage.kind === 'sink').map((stage) => stage.connector);
  return {
    generation: plan.pipeline.generation,
    deleting: isBeingDeleted(resource),
    desiredState: plan.desiredState,
    deletionPolicy: plan.deletionPolicy,
    isolation: plan.isolation,
    workloadNamespace: plan.workloadNamespace,
    pid: plan.pipeline.pid,
    kinds: [...new Set([...sources, ...sinks])].sort(),
    description: `${listed(sources)} → ${listed(sinks)}`,
    stages: plan.stages.map(({ name, kind: stageKind, replicas }) => ({ name, kind: stageKind, replicas })),
    opSeq: ownStatus(resource).opSeq ?? 0,
    cluster,
  };
}

function listed(connectors: readonly string[]): string {
  return [...new Set(connectors)].join(', ');
}

async function locate(kube: Kube, pipeline: PipelineRef, resource: KubeObject | undefined): Promise<Location> {
  const pid = pidOf(pipeline.name, pipeline.uid);
  const wished = resource === undefined ? {} : wishesOf(resource);
  // Nobody has carried out what may not be wished for; what a Millrace of all namespaces has made is found.
  const mayBeWished = kube.transport.onlyIn === undefined;
  const isolation = (mayBeWished ? wished.isolation : undefined) ?? (await isolationFound(kube, pipeline, pid));
  const workloadNamespace = placeOf(isolation, pipeline, pid);
  return {
    exists: resource !== undefined,
    deleting: resource !== undefined && isBeingDeleted(resource),
    generation: resource?.metadata.generation ?? 0,
    pid,
    isolation,
    workloadNamespace,
    deletionPolicy:
      wished.deletionPolicy ?? (await policyFound(kube, { op: { pipeline }, isolation, workloadNamespace })),
  };
}

/**
 * For a resource whose finalizer was removed by hand: the policy in force, except Drain, because nobody is left who
 * could say that records may be given up. What was left on purpose is left again.
 */
async function policyFound(kube: Kube, place: PlanPlace): Promise<Location['deletionPolicy']> {
  const plans = await planConfigMaps(kube, place);
  const isReleased = plans.some(({ metadata }) => metadata.annotations?.[annotations.released] !== undefined);
  const plan = await latestPlan(kube, place);
  return isReleased || plan?.deletionPolicy === 'Orphan' ? 'Orphan' : 'Immediate';
}

/** Namespace of a pipeline's workloads. */
export function placeOf(isolation: Location['isolation'], pipeline: PipelineRef, pid: string): string {
  return isolation === 'Namespace' ? namespaceOf(pid) : pipeline.namespace;
}

/** What the cluster shows. No object at all counts as a namespace of its own that is gone, where there may be one. */
async function isolationFound(
  kube: Kube,
  { namespace, uid }: PipelineRef,
  pid: string,
): Promise<Location['isolation']> {
  const own = await kube.get('Namespace', namespaceOf(pid));
  if (own !== undefined && belongsTo(own, uid)) return 'Namespace';
  for (const owned of ownedKinds) {
    const beside = await kube.list(owned, { namespace, labels: { [labels.pipelineUid]: uid } });
    if (beside.items.length > 0) return 'Shared';
  }
  return kube.transport.onlyIn === undefined ? 'Namespace' : 'Shared';
}
