/**
 * Which parts of a status somebody else has written, by the API server's own account of who owns each field. Pure.
 *
 * O1  A part counts as another's when another field manager owns something in it and none of Millrace's does: a value that
 *     both have written is as Millrace left it.
 * O2  Without that account nothing is another's.
 * O3  A condition is believed whole or not at all: it is another's as soon as one of its fields is, such as its message.
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
  const foreign: (Foreign & { readonly field: string })[] = [];
  const ours = new Set<string>();
  for (const { manager, fieldsV1 } of managedEntries(metadata, entrySchema)) {
    for (const { part, field } of fieldsOf(fieldsV1['f:status'])) {
      if (own.has(manager)) ours.add(field);
      else foreign.push({ part, manager, field });
    }
  }
  const seen = new Set<string>();
  return foreign.flatMap(({ part, manager, field }) => {
    if (ours.has(field) || seen.has(`${part} ${manager}`)) return [];
    seen.add(`${part} ${manager}`);
    return [{ part, manager }];
  });
}

/** Whether another owns something in this field, alone or beside Millrace: an apply without the field leaves that. */
export function othersShare(metadata: { readonly [field: string]: unknown }, field: string): boolean {
  return managedEntries(metadata, entrySchema).some(
    ({ manager, fieldsV1 }) => !own.has(manager) && `f:${field}` in fieldsV1['f:status'],
  );
}

interface OwnedField {
  readonly part: string;
  /** What is owned by itself: the part, or one field of a condition (O3). */
  readonly field: string;
}

function fieldsOf(status: Readonly<Record<string, Readonly<Record<string, unknown>>>>): OwnedField[] {
  return Object.entries(status).flatMap(([field, inner]) => {
    if (!field.startsWith('f:')) return [];
    const name = field.slice(2);
    return name === 'conditions' ? conditionsIn(inner) : [{ part: name, field: name }];
  });
}

/** An entry of the list, or values in it: keys are like `k:{"type":"Ready"}`. */
function conditionsIn(list: Readonly<Record<string, unknown>>): OwnedField[] {
  return Object.entries(list).flatMap(([key, fields]) => {
    const type = /^k:\{"type":"(\w+)"\}$/.exec(key)?.[1];
    if (type === undefined || typeof fields !== 'object' || fields === null) return [];
    const part = `conditions/${type}`;
    // Who has written nothing but the key claims nothing.
    const said = Object.keys(fields).filter((field) => field.startsWith('f:') && field !== 'f:type');
    return said.map((field) => ({ part, field: `${part}/${field}` }));
  });
}
