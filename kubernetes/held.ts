/**
 * What keeps an object that was deleted: its finalizers, and who has set them. Pure.
 *
 * Only a finalizer's owner may know when it may go, so a wait for one names both and touches neither.
 */
import { z } from 'zod';
import { finalizer as ours } from '../model/names.ts';
import { managedEntries } from './managed-fields.ts';

export interface Held {
  readonly metadata: { readonly finalizers?: readonly string[] | undefined; readonly [field: string]: unknown };
}

/** Of API server and garbage collector: they are removed without anybody's doing. */
const ofKubernetes: ReadonlySet<string> = new Set(['foregroundDeletion', 'orphan', 'kubernetes']);

/** `finalizer example.com/hold must be removed by whoever has set it (kubectl-edit)`; undefined: nothing foreign holds it. */
export function heldText(object: Held): string | undefined {
  const foreign = foreignFinalizers(object);
  if (foreign.length === 0) return undefined;
  const setters = settersOf(object, foreign);
  const who = setters.length === 0 ? '' : ` (${setters.join(', ')})`;
  const [several, them] = foreign.length === 1 ? ['', 'it'] : ['s', 'them'];
  return `finalizer${several} ${foreign.join(', ')} must be removed by whoever has set ${them}${who}`;
}

function foreignFinalizers({ metadata: { finalizers = [] } }: Held): readonly string[] {
  return finalizers.filter((each) => each !== ours && !ofKubernetes.has(each));
}

const fields = z.looseObject({
  manager: z.string(),
  fieldsV1: z.looseObject({
    'f:metadata': z.looseObject({ 'f:finalizers': z.record(z.string(), z.unknown()) }),
  }),
});

/** The field managers that own one of these. */
function settersOf({ metadata }: Held, finalizers: readonly string[]): readonly string[] {
  const setters = managedEntries(metadata, fields).flatMap(({ manager, fieldsV1 }) => {
    const owned = fieldsV1['f:metadata']['f:finalizers'];
    return finalizers.some((each) => Object.hasOwn(owned, `v:"${each}"`)) ? [manager] : [];
  });
  return [...new Set(setters)];
}
