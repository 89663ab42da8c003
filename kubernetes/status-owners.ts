/**
 * Which parts of a status somebody else has written, by the API server's own account of who owns each field. Pure.
 *
 * O1  A part counts as another's when another field manager owns something in it and none of Millrace's does: a value that
 *     both have written is as Millrace left it.
 * O2  Without that account nothing is another's.
 */
import { z } from 'zod';
import { fieldManagers } from '../model/names.ts';
import { managedEntries } from './managed-fields.ts';

const own: ReadonlySet<string> = new Set(Object.values(fieldManagers));

const entrySchema = z.looseObject({
  manager: z.string(),
  subresource: z.literal('status'),
  fieldsV1: z.looseObject({ 'f:status': z.record(z.string(), z.record(z.string(), z.unknown())) }),
});

export interface Foreign {
  /** `phase`, `conditions/Ready`. */
  readonly part: string;
  readonly manager: string;
}

export function foreignParts(metadata: { readonly [field: string]: unknown }): readonly Foreign[] {
  const foreign: Foreign[] = [];
  const ours = new Set<string>();
  for (const { manager, fieldsV1 } of managedEntries(metadata, entrySchema)) {
    for (const part of partsOf(fieldsV1['f:status'])) {
      if (own.has(manager)) ours.add(part);
      else foreign.push({ part, manager });
    }
  }
  return foreign.filter(({ part }) => !ours.has(part));
}

function partsOf(status: Readonly<Record<string, Readonly<Record<string, unknown>>>>): string[] {
  return Object.entries(status).flatMap(([field, inner]) => {
    if (!field.startsWith('f:')) return [];
    const name = field.slice(2);
    return name === 'conditions' ? conditionsIn(inner) : [name];
  });
}

/** An entry of the list, or values in it: keys are like `k:{"type":"Ready"}`. */
function conditionsIn(list: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(list).flatMap(([key, fields]) => {
    const type = /^k:\{"type":"(\w+)"\}$/.exec(key)?.[1];
    // Who has written nothing but the key claims nothing.
    const saysSomething = typeof fields === 'object' && fields !== null && 'f:status' in fields;
    return type === undefined || !saysSomething ? [] : [`conditions/${type}`];
  });
}
