/**
 * Takes down what belongs to a pipeline, found by its label and never by name alone.
 *
 * D1  An object that does not carry the pipeline's uid is left alone.
 * D2  What is already gone counts as done: every activity may run after any other part of teardown.
 * D3  Before an irreversible step it is checked whether the step is allowed (`../proof.ts`).
 * D4  What a newer operation has written is not deleted by an older one.
 */
import { z } from 'zod';
import { mr, problemOf, type MillraceError } from '../../model/errors.ts';
import type { LifecycleActivities, PlanRef } from '../../model/lifecycle.ts';
import { annotations, fieldManagers, labels } from '../../model/names.ts';
import { markPipelineStreams } from '../../stream/streams.ts';
import { removeFinalizer } from '../../kubernetes/finalizer.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { tellEvent } from '../status/event.ts';
import { assertMayTakeDown } from '../proof.ts';
import { asStep, waitFor } from '../step.ts';
import { removeUnused } from './credentials-copy.ts';
import { deleteFenced } from './fenced.ts';
import { heldText } from '../../kubernetes/held.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KindName, KubeObject } from '../../kubernetes/objects.ts';
import { ownedKinds, ownNamespaces } from './owned.ts';
import { ownerLabels } from './render/context.ts';
import { lingerReason } from './pods.ts';
import { plansInUse } from './mounted.ts';
import { liveStages } from './stages.ts';
import { planConfigMaps, readPlan } from './stored-plan.ts';

type Teardown = Pick<
  LifecycleActivities,
  'pruneStages' | 'releaseObjects' | 'deleteNamespace' | 'waitNamespaceGone' | 'removeFinalizer'
>;

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
      await removeUnused(kube, input, await readPlan(kube, input));
      return { removed };
    }),

    releaseObjects: asStep(deps, async (input) => {
      await assertMayTakeDown(kube, input.op.pipeline);
      const at = new Date(deps.clock.now()).toISOString();
      for (const namespace of await ownNamespaces(kube, input)) await release(kube, 'Namespace', namespace, at);
      const labelled = { namespace: input.workloadNamespace, labels: ownerLabels(input.op.pipeline.uid) };
      for (const owned of ownedKinds) {
        for (const object of (await kube.list(owned, labelled)).items) await release(kube, owned, object, at);
      }
      await releaseStreams(deps, input, at);
    }),

    deleteNamespace: asStep(deps, async (input) => {
      await assertMayTakeDown(kube, input.op.pipeline);
      if (input.isolation === 'Shared') await deleteOwned(kube, input, ownedKinds, () => true);
      for (const namespace of await ownNamespaces(kube, input)) {
        await kube.delete('Namespace', namespace.metadata.name, undefined, { uid: namespace.metadata.uid });
      }
    }),

    waitNamespaceGone: asStep(deps, async (input) => {
      await waitFor<undefined>(deps, input, async () => {
        const [left] = await ownNamespaces(kube, input);
        if (left === undefined) return { is: 'done', value: undefined };
        const pods = await kube.list('Pod', {
          namespace: left.metadata.name,
          labels: ownerLabels(input.op.pipeline.uid),
        });
        const problem = blockedBy(left, lingerReason(pods.items, deps.clock.now()));
        return {
          is: 'waiting',
          progress: { namespace: left.metadata.name, blockedBy: problem?.params['problem'] ?? null },
          problem,
        };
      });
    }),

    removeFinalizer: asStep(deps, async ({ op }) => {
      await assertMayTakeDown(kube, op.pipeline);
      await removeFinalizer(kube, op.pipeline, fieldManagers.lifecycle);
      const note = 'Nothing is left of the pipeline.';
      await tellEvent(deps, op.pipeline, { type: 'Normal', reason: 'Deleted', action: op.kind, note }, String(op.seq));
    }),
  };
}

/** Plans with which no stage's pods were started, except for the operation's own. */
async function prunePlans(kube: Kube, input: PlanRef): Promise<void> {
  const used = await plansInUse(kube, input);
  const plans = await planConfigMaps(kube, input);
  for (const plan of plans) {
    const { name } = plan.metadata;
    const isOwn = name.endsWith(`-g${input.generation}`);
    if (!isOwn && !used.has(name)) await deleteFenced(kube, 'ConfigMap', plan, input.op);
  }
}

async function release(kube: Kube, kind: KindName, { metadata }: KubeObject, at: string): Promise<void> {
  const { name, namespace, uid } = metadata;
  const patch = { metadata: { uid, annotations: { [annotations.released]: at } } };
  await kube.patchMerge(kind, name, namespace, patch, { fieldManager: fieldManagers.lifecycle });
}

/** The objects also show it: a deletion that leaves everything does not wait for NATS. */
async function releaseStreams(
  { streams, log }: ActivityDependencies,
  { op, pid }: PlanRef & { readonly pid: string },
  at: string,
): Promise<void> {
  try {
    await markPipelineStreams(streams(), { pid, uid: op.pipeline.uid, adopts: false }, { [annotations.released]: at });
  } catch (error) {
    log.warn({ pid, problem: problemOf(error) }, 'streams that are left on purpose could not be marked');
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
    for (const object of found.items.filter(isWanted)) await deleteFenced(kube, owned, object, op);
  }
}

const namespaceStatus = z.looseObject({
  conditions: z
    .array(z.looseObject({ type: z.string(), status: z.string(), message: z.string().default('') }))
    .nullish(),
});

/** Why a namespace is not gone yet, according to its conditions. */
function blockedBy(namespace: KubeObject, late: string | undefined): MillraceError | undefined {
  const status = namespaceStatus.safeParse(namespace['status'] ?? {});
  const said = (status.success ? (status.data.conditions ?? []) : []).filter(
    (condition) => condition.status === 'True',
  );
  const held = heldText(namespace);
  if (said.length === 0 && late === undefined && held === undefined) return undefined;
  const problem = [...said.map(({ message }) => message), late ?? [], held ?? []].flat().join(' ');
  return mr('MR_NAMESPACE_BLOCKED', { namespace: namespace.metadata.name, problem });
}
