/** Namespace, account, network policy, plan and credentials: what must exist before a stage. */
import { compile } from '../../crds/compile.ts';
import { mr } from '../../model/errors.ts';
import type { LifecycleActivities, PlanRef } from '../../model/lifecycle.ts';
import type { Plan } from '../../model/plan.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { readResource } from '../proof.ts';
import { parsePipeline } from '../spec.ts';
import { asStep } from '../step.ts';
import { credentialsVersion, readCredentials } from './credentials.ts';
import { applyFenced, deleteFenced } from './fenced.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { Manifest } from '../../kubernetes/objects.ts';
import type { RenderContext } from './render/context.ts';
import { planText as renderedText, renderCredentials, renderPlan } from './render/plan.ts';
import { renderNamespace, renderNetworkPolicy, renderServiceAccount } from './render/surroundings.ts';
import { planText, readPlan } from './stored-plan.ts';

type Surroundings = Pick<LifecycleActivities, 'ensureNamespace' | 'copyCredentials' | 'applyPlan'>;

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
      await apply(renderServiceAccount(context), input);
      await apply(renderNetworkPolicy(context), input);
    }),

    copyCredentials: asStep(deps, async (input) => {
      const plan = await currentPlan(deps, input);
      const { data, sources } = await readCredentials(kube, plan.pipeline.namespace, plan.credentials);
      const version = await credentialsVersion(kube, plan, data, input.op.seq);
      await apply(renderCredentials(renderContext(deps, input, plan), { data, sources, version }), input);
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
  };
}

export function renderContext(deps: ActivityDependencies, { op }: PlanRef, plan: Plan): RenderContext {
  return { plan, opSeq: op.seq, cluster: deps.cluster, image: deps.image, natsUrl: deps.natsUrl };
}

/** A namespace that is being deleted accepts an apply, but no objects in it: it is recreated when it is gone. */
async function untilNotTerminating(kube: Kube, name: string): Promise<void> {
  const live = await kube.get('Namespace', name);
  if (live?.metadata.deletionTimestamp == null) return;
  throw mr('MR_NAMESPACE_BLOCKED', { namespace: name, problem: 'it is recreated when it is gone' });
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
