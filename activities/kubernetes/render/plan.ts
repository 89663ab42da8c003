/** The plan of one generation, for pods and for later steps of the same operation; and the copied credentials. */
import { annotations } from '../../../model/names.ts';
import type { Plan } from '../../../model/plan.ts';
import type { Credentials } from '../credentials.ts';
import type { Manifest } from '../../../kubernetes/objects.ts';
import { credentialsAnnotation } from './deployment.ts';
import { metadata, objectNames, type RenderContext } from './context.ts';

export const planKey = 'plan.json';

export function renderPlan(context: RenderContext): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata(context, objectNames(context.plan).plan(context.plan.pipeline.generation)),
    immutable: true,
    data: { [planKey]: planText(context.plan) },
  };
}

/** Readable with `kubectl get configmap -o yaml`. */
export function planText(plan: Plan): string {
  return JSON.stringify(plan, null, 2);
}

/**
 * `data`: base64 by key. Always created, even when empty, so that pods of every pipeline mount the same volumes.
 * `version` changes with the data: it is not a hash, from which values could be guessed. `sources`: what it was
 * copied from, to detect later changes.
 */
export function renderCredentials(
  context: RenderContext,
  { data, sources, version }: Credentials & { readonly version: string },
): Manifest {
  const { annotations: stamped, ...rest } = metadata(context, objectNames(context.plan).credentials);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      ...rest,
      annotations: {
        ...stamped,
        [credentialsAnnotation]: version,
        [annotations.copiedFrom]: JSON.stringify(sources),
      },
    },
    type: 'Opaque',
    data,
  };
}
