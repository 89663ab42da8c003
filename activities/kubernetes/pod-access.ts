/**
 * The Secrets with which a pipeline's pods get in at NATS and their image is pulled, in the namespace of its pods.
 *
 * S3  They are written by each operation, before the account and the pods that use them.
 * S4  One of an earlier time, which is not configured any more, goes at the next operation.
 * S5  Pods mount what is there: an operation that is retried renders the same pods, whatever was configured meanwhile.
 * S6  While an operation waits for pods that something keeps, the Secret to pull with follows the one of the lifecycle: pods
 *     that cannot pull go on once it is right.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Kube } from '../../kubernetes/kube.ts';
import type { Manifest } from '../../kubernetes/objects.ts';
import type { PlanRef } from '../../model/lifecycle.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { applyFenced, deleteFenced } from './fenced.ts';
import { belongsTo } from './owned.ts';
import { objectNames, type RenderContext } from './render/context.ts';
import { renderNatsAccess, renderPullSecret } from './render/pod-access.ts';

/** S3, S4. Says whether there is a Secret to pull with. Throws MR_ACCESS_INVALID. */
export async function ensurePodAccess(
  { kube, podAccess }: Pick<ActivityDependencies, 'kube' | 'podAccess'>,
  context: RenderContext,
  input: PlanRef,
): Promise<{ readonly pullsWithSecret: boolean }> {
  const { natsAccess, imagePull } = objectNames(context.plan);
  const files = await podAccess.nats(context.plan);
  const config = podAccess.pullConfig();
  await ensure(kube, natsAccess, files === undefined ? undefined : renderNatsAccess(context, files), input);
  await ensure(kube, imagePull, config === undefined ? undefined : renderPullSecret(context, config), input);
  return { pullsWithSecret: config !== undefined };
}

/** S6. */
export async function followPullSecret(
  { kube, podAccess }: Pick<ActivityDependencies, 'kube' | 'podAccess'>,
  context: RenderContext,
  { op }: PlanRef,
): Promise<void> {
  const config = podAccess.pullConfig();
  if (config === undefined) return;
  const wanted = renderPullSecret(context, config);
  const live = await kube.get('Secret', wanted.metadata.name, wanted.metadata.namespace);
  if (!isDeepStrictEqual(live?.['data'], wanted['data'])) await applyFenced(kube, wanted, op);
}

/** S5. */
export async function withPodAccess(kube: Pick<Kube, 'get'>, context: RenderContext): Promise<RenderContext> {
  const { plan } = context;
  const live = await kube.get('Secret', objectNames(plan).natsAccess, plan.workloadNamespace);
  return { ...context, mountsNatsAccess: live !== undefined && belongsTo(live, plan.pipeline.uid) };
}

async function ensure(kube: Kube, name: string, wanted: Manifest | undefined, input: PlanRef): Promise<void> {
  if (wanted !== undefined) {
    await applyFenced(kube, wanted, input.op);
    return;
  }
  const left = await kube.get('Secret', name, input.workloadNamespace);
  if (left !== undefined && belongsTo(left, input.op.pipeline.uid)) await deleteFenced(kube, 'Secret', left, input.op);
}
