/**
 * Takes down what belongs to a pipeline, found by its label and never by name alone.
 *
 * D1  What does not carry the pipeline's uid is left alone.
 * D2  Gone already is done: every activity may run after any other part of teardown.
 * D3  The finalizer is removed with a test of what is at its place, so that no other finalizer is removed instead.
 */
import { z } from 'zod';
import { mr, type MillraceError } from '../../model/errors.ts';
import type { LifecycleActivities, PlanRef } from '../../model/lifecycle.ts';
import { finalizer, kind, labels } from '../../model/names.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { emitEvent, eventSource } from '../status/event.ts';
import { asStep, waitFor } from '../step.ts';
import { untilNoConflict } from './fenced.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KindName, KubeObject } from '../../kubernetes/objects.ts';
import { ownerLabels } from './render/context.ts';
import { liveStages, plansInUse } from './stages.ts';
import { planConfigMaps } from './stored-plan.ts';

type Teardown = Pick<LifecycleActivities, 'pruneStages' | 'deleteNamespace' | 'waitNamespaceGone' | 'removeFinalizer'>;

/** Deployments first: what stands around their pods may go when they are told to go. */
const ownedKinds: readonly KindName[] = [
  'Deployment',
  'PodDisruptionBudget',
  'Service',
  'NetworkPolicy',
  'ConfigMap',
  'Secret',
  'ServiceAccount',
];
const stageKinds: readonly KindName[] = ['Deployment', 'PodDisruptionBudget', 'Service'];

export function teardownActivities(deps: ActivityDependencies): Teardown {
  const { kube } = deps;
  return {
    pruneStages: asStep(deps, async (input) => {
      const live = await liveStages(kube, input);
      const removed = live.map(({ name }) => name).filter((name) => !input.keep.includes(name));
      await deleteOwned(kube, input, stageKinds, (object) => {
        const stage = object.metadata.labels?.[labels.stage];
        return stage !== undefined && !input.keep.includes(stage);
      });
      await prunePlans(kube, input);
      return { removed };
    }),

    deleteNamespace: asStep(deps, async (input) => {
      if (input.isolation === 'Shared') await deleteOwned(kube, input, ownedKinds, () => true);
      for (const namespace of await ownNamespaces(kube, input)) {
        await kube.delete('Namespace', namespace.metadata.name, undefined, { uid: namespace.metadata.uid });
      }
    }),

    waitNamespaceGone: asStep(deps, async (input, context) => {
      await waitFor<undefined>(deps, input, context, async () => {
        const [left] = await ownNamespaces(kube, input);
        if (left === undefined) return { is: 'done', value: undefined };
        const problem = blockedBy(left);
        return {
          is: 'waiting',
          progress: { namespace: left.metadata.name, blockedBy: problem?.params['problem'] ?? null },
          problem,
        };
      });
    }),

    removeFinalizer: asStep(deps, async ({ op }) => {
      const { namespace, name, uid } = op.pipeline;
      await untilNoConflict(async () => {
        const resource = await kube.get(kind, name, namespace);
        if (resource?.metadata.uid !== uid) return;
        const index = resource.metadata.finalizers?.indexOf(finalizer) ?? -1;
        if (index < 0) return;
        const path = `/metadata/finalizers/${index}`;
        await kube.patchJson(kind, name, namespace, [
          { op: 'test', path: '/metadata/uid', value: uid },
          { op: 'test', path, value: finalizer },
          { op: 'remove', path },
        ]);
      });
      const note = 'Nothing is left of the pipeline.';
      const told = { key: String(op.seq), at: deps.clock.now(), source: eventSource };
      await emitEvent(kube, op.pipeline, { type: 'Normal', reason: 'Deleted', action: op.kind, note }, told);
    }),
  };
}

/** Plans that no stage's pods were started with, but for the operation's own. */
async function prunePlans(kube: Kube, input: PlanRef): Promise<void> {
  const used = await plansInUse(kube, input);
  const plans = await planConfigMaps(kube, input);
  for (const { metadata } of plans) {
    const isOwn = metadata.name.endsWith(`-g${input.generation}`);
    if (!isOwn && !used.has(metadata.name)) await kube.delete('ConfigMap', metadata.name, input.workloadNamespace);
  }
}

async function deleteOwned(
  kube: Kube,
  { op, workloadNamespace }: PlanRef,
  kinds: readonly KindName[],
  isWanted: (object: KubeObject) => boolean,
): Promise<void> {
  for (const owned of kinds) {
    const found = await kube.list(owned, { namespace: workloadNamespace, labels: ownerLabels(op.pipeline.uid) });
    for (const object of found.items.filter(isWanted)) {
      await kube.delete(owned, object.metadata.name, workloadNamespace, { uid: object.metadata.uid });
    }
  }
}

async function ownNamespaces(kube: Kube, { op }: PlanRef): Promise<KubeObject[]> {
  return (await kube.list('Namespace', { labels: ownerLabels(op.pipeline.uid) })).items;
}

const namespaceStatus = z.looseObject({
  conditions: z
    .array(z.looseObject({ type: z.string(), status: z.string(), message: z.string().default('') }))
    .nullish(),
});

/** What a namespace that does not go says about why. */
function blockedBy(namespace: KubeObject): MillraceError | undefined {
  const status = namespaceStatus.safeParse(namespace['status'] ?? {});
  const said = (status.success ? (status.data.conditions ?? []) : []).filter(
    (condition) => condition.status === 'True',
  );
  if (said.length === 0) return undefined;
  const problem = said.map(({ message }) => message).join(' ');
  return mr('MR_NAMESPACE_BLOCKED', { namespace: namespace.metadata.name, problem });
}
