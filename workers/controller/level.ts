/**
 * Compares what a pipeline's resource says with what was carried out and what the entity was told. Pure.
 *
 * E1  A signal is sent only when the level differs and was not sent before: equal generations cost nothing.
 * E2  The finalizer is added before anything is started, so that everything that is started can be torn down.
 */
import type { Told } from '../../model/lifecycle.ts';
import type { Seen } from './pipeline-record.ts';

export type Need =
  | { readonly do: 'nothing'; readonly because: 'notOurs' | 'settled' | 'told' }
  | { readonly do: 'addFinalizer' }
  | { readonly do: 'tell'; readonly what: Told };

export function needOf(seen: Seen, told: Told | undefined, isEntityMissing: boolean): Need {
  const { generation, deleting, isOurs, status } = seen;
  if (!isOurs) return deleting ? { do: 'nothing', because: 'notOurs' } : { do: 'addFinalizer' };
  const decision = seen.decision === status.decision?.text ? undefined : seen.decision;
  const isSettled = !deleting && status.observedGeneration === generation && decision === undefined;
  const isTold = told?.generation === generation && told.deleting === deleting && told.decision === decision;
  if (!isEntityMissing && isSettled) return { do: 'nothing', because: 'settled' };
  if (!isEntityMissing && isTold) return { do: 'nothing', because: 'told' };
  return { do: 'tell', what: { generation, deleting, ...(decision === undefined ? {} : { decision }) } };
}
