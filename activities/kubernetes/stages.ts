/**
 * The stages of a pipeline as Deployments.
 *
 * G1  A stage whose content is unchanged keeps its pods and the plan with which they were started.
 * G2  A stage counts as gone when its pods are gone, not when their deletion was requested.
 * G3  Every write records the hash of its result (`./applied.ts`).
 * G4  While an operation waits for the pods of a stage, it re-applies a workload that somebody deletes or changes:
 *     nothing else checks the workload as long as an operation runs.
 */
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import type { LifecycleActivities, LiveStage, StageInput } from '../../model/lifecycle.ts';
import { annotations, fieldManagers, labels } from '../../model/names.ts';
import { findReferences } from '../../model/credentials.ts';
import type { Plan, Stage } from '../../model/plan.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { assertMayTakeDown } from '../proof.ts';
import { updateStatus } from '../status/write.ts';
import { asStep, waitFor, type Look } from '../step.ts';
import { isChangedByOthers, noteApplied } from './applied.ts';
import { applyFenced, checkFence } from './fenced.ts';
import { untilNoConflict } from '../../kubernetes/conflicts.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { planNameOf } from './mounted.ts';
import { followPullSecret, withPodAccess } from './pod-access.ts';
import { lingerReason, notReady, podTroubles } from './pods.ts';
import { objectNames, ownerLabels, stageSelector } from './render/context.ts';
import {
  credentialsAnnotation,
  listensForRecords,
  renderDeployment,
  renderDisruptionBudget,
  renderService,
  type StagePods,
} from './render/deployment.ts';
import { stageHash } from './render/stage-hash.ts';
import { readPlan, type PlanPlace } from './stored-plan.ts';
import { renderContext } from './surroundings.ts';

type Stages = Pick<LifecycleActivities, 'applyStage' | 'waitStage' | 'listStages' | 'scaleStage' | 'waitStageGone'>;

const restoreMs = 5_000;

const deploymentSchema = z.looseObject({
  metadata: z.looseObject({ generation: z.number().default(0) }),
  spec: z.looseObject({
    replicas: z.number().default(1),
    template: z.looseObject({
      metadata: z.looseObject({ annotations: z.record(z.string(), z.string()).optional() }).optional(),
    }),
  }),
  status: z
    .looseObject({
      observedGeneration: z.number().default(0),
      replicas: z.number().default(0),
      updatedReplicas: z.number().default(0),
      availableReplicas: z.number().default(0),
    })
    .default({ observedGeneration: 0, replicas: 0, updatedReplicas: 0, availableReplicas: 0 }),
});

export function stageActivities(deps: ActivityDependencies): Stages {
  const { kube } = deps;
  return {
    applyStage: asStep(deps, (input) => apply(deps, input)),

    waitStage: asStep(deps, async (input) => {
      const plan = await readPlan(kube, input);
      const stage = stageOf(plan, input);
      const context = renderContext(deps, input, plan);
      let restoredAt = -Infinity;
      return waitFor(deps, input, async () => {
        const found = await kube.get('Deployment', stage.workload, plan.workloadNamespace);
        const isOurs =
          found !== undefined && !isChangedByOthers(found) && found.metadata.deletionTimestamp === undefined;
        if (isOurs) {
          const look = await lookAtStage(kube, plan, stage, found);
          if (look.is === 'waiting' && look.problem !== undefined) await followPullSecret(deps, context, input);
          return look;
        }
        // Two writers that keep overwriting each other must pause between writes.
        if (deps.clock.now() - restoredAt >= restoreMs) {
          await apply(deps, input);
          restoredAt = deps.clock.now();
        }
        return { is: 'waiting', progress: { stage: stage.name, restored: true } };
      });
    }),

    listStages: asStep(deps, (input) => liveStages(kube, input)),

    scaleStage: asStep(deps, async (input) => {
      const deployment = await deploymentOf(kube, input);
      if (deployment === undefined) return;
      if (input.op.kind === 'teardown') await assertMayTakeDown(kube, input.op.pipeline);
      await scale(kube, deployment, input);
      await noteReplicas(deps, input);
    }),

    waitStageGone: asStep(deps, async (input) => {
      const { uid } = input.op.pipeline;
      await waitFor<undefined>(deps, input, async () => {
        const pods = await kube.list('Pod', {
          namespace: input.workloadNamespace,
          labels: stageSelector(uid, input.stage),
        });
        const left = pods.items.length;
        if (left === 0) return { is: 'done', value: undefined };
        const why = lingerReason(pods.items, deps.clock.now());
        const progress = { stage: input.stage, left, podReason: why ?? null };
        const problem = why === undefined ? undefined : mr('MR_PODS_NOT_GONE', { stage: input.stage, left, why });
        return { is: 'waiting', progress, problem };
      });
    }),
  };
}

/** The status shows which stages should have pods: while a pipeline drains, its sinks. */
async function noteReplicas(
  { kube, clock }: ActivityDependencies,
  { op, stage, replicas }: StageInput & { readonly replicas: number },
): Promise<void> {
  const target = { pipeline: op.pipeline, opSeq: op.seq, generation: op.generation };
  await updateStatus(kube, clock, target, ({ stages }) =>
    stages === undefined
      ? undefined
      : { stages: stages.map((each) => (each.name === stage ? { name: stage, replicas } : each)) },
  );
}

async function apply(deps: ActivityDependencies, input: StageInput & { readonly replicas: number }) {
  const { kube } = deps;
  const plan = await readPlan(kube, input);
  const stage = stageOf(plan, input);
  const context = await withPodAccess(kube, renderContext(deps, input, plan));
  const { op } = input;
  const before = await kube.get('Deployment', stage.workload, plan.workloadNamespace);
  const pods = await podsOf(kube, plan, stage, input.replicas, before);
  const after = await applyFenced(kube, renderDeployment(context, pods), op);
  await noteApplied(kube, after);
  await applyFenced(kube, renderDisruptionBudget(context, stage), op);
  if (listensForRecords(stage)) await applyFenced(kube, renderService(context, stage), op);
  return { changed: before?.metadata.generation !== after.metadata.generation };
}

/** Deployments of the pipeline, whatever any plan says. */
export async function liveStages(
  kube: Kube,
  { op, workloadNamespace }: Pick<PlanPlace, 'op' | 'workloadNamespace'>,
): Promise<LiveStage[]> {
  const found = await kube.list('Deployment', { namespace: workloadNamespace, labels: ownerLabels(op.pipeline.uid) });
  return found.items.flatMap((item) => {
    const name = item.metadata.labels?.[labels.stage];
    if (name === undefined) return [];
    const kind = name.startsWith('ingestor-') ? 'ingestor' : 'sink';
    return [{ name, kind, wanted: deploymentSchema.parse(item).spec.replicas } as const];
  });
}

function stageOf(plan: Plan, { stage }: StageInput): Stage {
  const found = plan.stages.find(({ name }) => name === stage);
  if (found === undefined) throw new TypeError(`plan of generation ${plan.pipeline.generation} has no stage ${stage}`);
  return found;
}

async function deploymentOf(kube: Kube, { op, workloadNamespace, stage }: StageInput): Promise<KubeObject | undefined> {
  const found = await kube.list('Deployment', {
    namespace: workloadNamespace,
    labels: stageSelector(op.pipeline.uid, stage),
  });
  return found.items[0];
}

async function podsOf(
  kube: Kube,
  plan: Plan,
  stage: Stage,
  replicas: number,
  live: KubeObject | undefined,
): Promise<StagePods> {
  const names = objectNames(plan);
  const specHash = stageHash(plan, stage);
  const own = names.plan(plan.pipeline.generation);
  const usesCredentials = findReferences(stage.config).refs.length > 0;
  const credentials = usesCredentials ? await kube.get('Secret', names.credentials, plan.workloadNamespace) : undefined;
  return {
    stage,
    replicas,
    specHash,
    planName: (await keptPlan(kube, plan, live, specHash)) ?? own,
    credentialsVersion: credentials?.metadata.annotations?.[credentialsAnnotation],
  };
}

/** The plan of the stage's pods, if the stage is unchanged since and the plan still exists (G1). */
async function keptPlan(
  kube: Kube,
  plan: Plan,
  live: KubeObject | undefined,
  specHash: string,
): Promise<string | undefined> {
  if (live === undefined) return undefined;
  const template = deploymentSchema.parse(live).spec.template;
  if (template.metadata?.annotations?.[annotations.specHash] !== specHash) return undefined;
  const name = planNameOf(live);
  if (name === undefined) return undefined;
  return (await kube.get('ConfigMap', name, plan.workloadNamespace)) === undefined ? undefined : name;
}

async function lookAtStage(kube: Kube, plan: Plan, stage: Stage, found: KubeObject): Promise<Look<{ ready: number }>> {
  const { metadata, spec, status } = deploymentSchema.parse(found);
  const isCurrent = status.observedGeneration >= metadata.generation;
  const ready = isCurrent ? Math.min(status.updatedReplicas, status.availableReplicas) : 0;
  if (isCurrent && ready >= spec.replicas && status.replicas === spec.replicas) return { is: 'done', value: { ready } };
  const pods = await kube.list('Pod', {
    namespace: plan.workloadNamespace,
    labels: stageSelector(plan.pipeline.uid, stage.name),
  });
  const [trouble] = podTroubles(pods.items);
  const counts = { ready, wanted: spec.replicas };
  return {
    is: 'waiting',
    progress: { ...counts, podReason: trouble?.why ?? null },
    problem: trouble === undefined ? undefined : notReady({ stage: stage.name, ...counts }, trouble),
  };
}

async function scale(
  kube: Kube,
  deployment: KubeObject,
  { op, replicas }: StageInput & { replicas: number },
): Promise<void> {
  const { name, namespace = '' } = deployment.metadata;
  const written = await untilNoConflict(async () => {
    const live = await kube.get('Deployment', name, namespace);
    if (live === undefined) return undefined;
    checkFence('Deployment', live, op);
    const { uid, resourceVersion } = live.metadata;
    const metadata = { uid, resourceVersion, annotations: { [annotations.opSeq]: String(op.seq) } };
    const { lifecycle } = fieldManagers;
    return kube.patchMerge(
      'Deployment',
      name,
      namespace,
      { metadata, spec: { replicas } },
      { fieldManager: lifecycle },
    );
  });
  if (written !== undefined) await noteApplied(kube, written);
}
