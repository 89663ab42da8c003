/** Namespace, access, account, network policy, plan and credentials: what must exist before a stage. */
import { compile } from '../../crds/compile.ts';
import { mr } from '../../model/errors.ts';
import type { LifecycleActivities, PlanRef } from '../../model/lifecycle.ts';
import type { Plan } from '../../model/plan.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { readResource } from '../proof.ts';
import { parsePipeline } from '../spec.ts';
import { ownStatus } from '../status/merge.ts';
import { asStep } from '../step.ts';
import { copyFor, removeUnused } from './credentials-copy.ts';
import { applyFenced, deleteFenced } from './fenced.ts';
import { heldText } from '../../kubernetes/held.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { Manifest } from '../../kubernetes/objects.ts';
import { namesIn, type RenderContext } from './render/context.ts';
import { planText as renderedText, renderCredentials, renderPlan } from './render/plan.ts';
import { renderNamespace, renderNetworkPolicy, renderServiceAccount } from './render/surroundings.ts';
import { plansInUse } from './mounted.ts';
import { ensurePodAccess } from './pod-access.ts';
import { latestPlan, planConfigMaps, planText, readPlan } from './stored-plan.ts';

type Surroundings = Pick<LifecycleActivities, 'ensureNamespace' | 'copyCredentials' | 'applyPlan' | 'takeBackPlan'>;

export function surroundingsActivities(deps: ActivityDependencies): Surroundings {
  const { kube } = deps;
  const apply = (manifest: Manifest, { op }: PlanRef) => applyFenced(kube, manifest, op);

  return {
    ensureNamespace: asStep(deps, async (input) => {
      const context = renderContext(deps, input, await currentPlan(deps, input));
      if (input.isolation === 'Namespace') {
        await untilNotTerminating(kube, input.workloadNamespace);
        await apply(renderNamespace(context), input);
      }
      const { pullsWithSecret } = await ensurePodAccess(deps, context, input);
      await apply(renderServiceAccount(context, pullsWithSecret), input);
      await apply(renderNetworkPolicy(context), input);
    }),

    copyCredentials: asStep(deps, async (input) => {
      const plan = await currentPlan(deps, input);
      const copy = await copyFor(kube, plan, input);
      await apply(renderCredentials(renderContext(deps, input, plan), copy), input);
      return { keys: plan.credentials.length };
    }),

    applyPlan: asStep(deps, async (input) => {
      const plan = await currentPlan(deps, input);
      const manifest = renderPlan(renderContext(deps, input, plan));
      const { name, namespace } = manifest.metadata;
      const live = await kube.get('ConfigMap', name, namespace);
      // The same spec compiled by another version of Millrace may read differently, and the object is immutable.
      if (live !== undefined && planText(live) !== renderedText(plan))
        await deleteFenced(kube, 'ConfigMap', live, input.op);
      await apply(manifest, input);
      return { stages: plan.stages.map(({ name: stage, kind, replicas }) => ({ name: stage, kind, replicas })) };
    }),

    /** A plan that pods have, or that was accepted before something else refused it, stays: it is in force. */
    takeBackPlan: asStep(deps, async (input) => {
      const { acceptedGeneration = 0 } = ownStatus(await readResource(kube, input.op.pipeline));
      if (acceptedGeneration >= input.generation) return;
      const name = namesIn(input.isolation, input.op.pipeline.name).plan(input.generation);
      if ((await plansInUse(kube, input)).has(name)) return;
      const stored = (await planConfigMaps(kube, input)).find(({ metadata }) => metadata.name === name);
      if (stored !== undefined) await deleteFenced(kube, 'ConfigMap', stored, input.op);
      await removeUnused(kube, input, await latestPlan(kube, input));
    }),
  };
}

export function renderContext(deps: ActivityDependencies, { op }: PlanRef, plan: Plan): RenderContext {
  return { plan, opSeq: op.seq, cluster: deps.cluster, image: deps.image, natsUrl: deps.natsUrl };
}

/** A namespace that is being deleted accepts an apply, but no objects in it: it is recreated when it is gone. */
async function untilNotTerminating(kube: Kube, name: string): Promise<void> {
  const live = await kube.get('Namespace', name);
  if (live?.metadata.deletionTimestamp == null) return;
  const problem = heldText(live) ?? 'it is recreated when it is gone';
  throw mr('MR_NAMESPACE_BLOCKED', { namespace: name, problem });
}

/**
 * The plan of the spec as it is. Throws when the resource has moved on: the operation is for one generation. Beside a
 * spec that is refused, the plan in force.
 */
async function currentPlan({ kube }: ActivityDependencies, input: PlanRef): Promise<Plan> {
  if (input.plan === 'inForce') return readPlan(kube, input);
  const { op, generation } = input;
  const resource = await readResource(kube, op.pipeline);
  const newer = resource.metadata.generation ?? 0;
  const { namespace, name } = op.pipeline;
  if (newer !== generation) throw mr('MR_GENERATION_SUPERSEDED', { namespace, name, generation, newer });
  return compile(parsePipeline(resource));
}
