/**
 * Compares what a pipeline's resource says with what was carried out and what was said already. Pure.
 *
 * E1  Something is sent only when the level differs and that was not sent before: equal generations cost nothing.
 * E2  The finalizer is there before anything is started: what is started can be taken down.
 */
import { finalizer } from '../../model/names.ts';
import type { PipelineStatus } from '../../model/status.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';

/** What the entity was told last; kept in memory, so a restart costs at most one needless signal a pipeline. */
export interface Told {
  readonly generation: number;
  readonly deleting: boolean;
}

export type Need =
  | { readonly do: 'nothing'; readonly because: 'notOurs' | 'settled' | 'told' }
  | { readonly do: 'addFinalizer' }
  | { readonly do: 'tell'; readonly what: Told };

export function needOf(
  resource: KubeObject,
  status: PipelineStatus,
  told: Told | undefined,
  isEntityMissing: boolean,
): Need {
  const { generation = 0, deletionTimestamp, finalizers = [] } = resource.metadata;
  const deleting = deletionTimestamp != null;
  const isOurs = finalizers.includes(finalizer);
  if (!isOurs) return deleting ? { do: 'nothing', because: 'notOurs' } : { do: 'addFinalizer' };
  const isSettled = !deleting && status.observedGeneration === generation;
  const isTold = told?.generation === generation && told.deleting === deleting;
  if (!isEntityMissing && isSettled) return { do: 'nothing', because: 'settled' };
  if (!isEntityMissing && isTold) return { do: 'nothing', because: 'told' };
  return { do: 'tell', what: { generation, deleting } };
}
