/**
 * What would stay of a spec although the document that is applied no longer has it, because another tool manages it. Pure.
 *
 * Server-side apply removes what its own manager has applied before, and nothing else: a step that `kubectl apply` made
 * stays, without a word, when a file without that step is applied under another manager.
 *
 * KF1 Only what makes a difference is kept: a field that the document leaves out and that has its default is not. Whoever
 *     creates an object without server-side apply owns its defaults, too.
 * KF2 What another entry point of Millrace has set is never reported as kept. Nor is `desiredState`, whoever set it: a
 *     document without it asks for no state.
 * KF3 A field is named by the outermost part that the document lacks: the step, not each of its fields.
 * KF4 Taking over moves what the other managers own of the spec to the one that applies, as kubectl does when it changes
 *     from client-side to server-side apply. The next apply then removes what the document lacks. `desiredState` is left to
 *     who owns it (KF2): taken over, it would be removed with the rest, and a pipeline that is paused would start.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { apiVersion, isOwnManager } from '../model/names.ts';
import { managedEntries } from './managed-fields.ts';

export interface KeptField {
  /** As `fieldsV1` has it, within the spec: `f:steps`, `k:{"name":"total"}`. */
  readonly keys: readonly string[];
  readonly manager: string;
}

type Owned = Readonly<Record<string, unknown>>;

const owned = z.record(z.string(), z.unknown());
const entrySchema = z.looseObject({
  manager: z.string(),
  operation: z.string(),
  subresource: z.string().optional(),
  fieldsV1: z.looseObject({ 'f:spec': owned }),
});

interface Documents {
  /** The object's spec now. */
  readonly stored: unknown;
  /** The spec as the document has it. */
  readonly named: unknown;
  /** With the defaults of what it leaves out. */
  readonly wanted: unknown;
}

export function keptFields(
  metadata: { readonly [field: string]: unknown },
  documents: Documents,
): readonly KeptField[] {
  return managedEntries(metadata, entrySchema)
    .filter(isForeign)
    .flatMap(({ manager, fieldsV1 }) => {
      const { 'f:desiredState': _, ...fields } = fieldsV1['f:spec'];
      return lacking(fields, documents, []).map((keys) => ({ keys, manager }));
    });
}

/** `spec.steps[total]`. */
export function pathText({ keys }: KeptField): string {
  return `spec${keys.map(nameOf).join('')}`;
}

function isForeign({ manager, subresource }: z.output<typeof entrySchema>): boolean {
  return subresource === undefined && !isOwnManager(manager);
}

/** KF1, KF3. */
function lacking(fields: Owned, { stored, named, wanted }: Documents, keys: readonly string[]): readonly string[][] {
  return Object.entries(fields).flatMap(([key, inner]) => {
    const at = { stored: memberOf(stored, key), named: memberOf(named, key), wanted: memberOf(wanted, key) };
    if (at.stored === undefined || isDeepStrictEqual(at.stored, at.wanted)) return [];
    const here = [...keys, key];
    const within = owned.parse(inner);
    const isWhole = Object.keys(within).length === 0;
    // Named with another value, it is a conflict that the API server finds by itself.
    if (isWhole) return at.named === undefined ? [here] : [];
    return at.wanted === undefined ? [here] : lacking(within, at, here);
  });
}

/** What a take-over would leave of the stored spec: without what is kept, or with its default. */
export function withoutKept(stored: unknown, kept: readonly KeptField[], wanted: unknown): unknown {
  return kept.reduce<unknown>((spec, { keys }) => replaced(spec, keys, wanted), stored);
}

function replaced(value: unknown, [key = '', ...rest]: readonly string[], wanted: unknown): unknown {
  const member = memberOf(value, key);
  const by = memberOf(wanted, key);
  const instead = rest.length === 0 || member === undefined ? by : replaced(member, rest, by);
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown) => (item !== member ? [item] : instead === undefined ? [] : [instead]));
  }
  const { [key.slice(2)]: _, ...others } = owned.parse(value);
  return instead === undefined ? others : { ...others, [key.slice(2)]: instead };
}

/** By a key of `fieldsV1`: `f:steps`, `k:{"name":"total"}`. What is owned whole has no members there. */
function memberOf(value: unknown, key: string): unknown {
  const [kind, rest] = [key.slice(0, 2), key.slice(2)];
  if (kind === 'f:') return owned.safeParse(value).data?.[rest];
  if (kind !== 'k:' || !Array.isArray(value)) return undefined;
  const names = Object.entries(owned.parse(JSON.parse(rest)));
  return value.find((item: unknown) => names.every(([field, is]) => owned.safeParse(item).data?.[field] === is));
}

function nameOf(key: string): string {
  if (key.startsWith('f:')) return `.${key.slice(2)}`;
  return `[${Object.values(owned.parse(JSON.parse(key.slice(2)))).join(',')}]`;
}

/** KF4: `metadata.managedFields` under which `manager` owns what these managers own of the spec. */
export function takenOver(
  metadata: { readonly [field: string]: unknown },
  from: ReadonlySet<string>,
  manager: string,
): readonly unknown[] {
  // The name of a manager may be missing; such an entry says who owns what, too.
  const entries = managedEntries(metadata, z.looseObject({}));
  let taken: Owned = {};
  const others: unknown[] = [];
  for (const entry of entries) {
    const read = entrySchema.safeParse(entry);
    const isOwn = read.data?.manager === manager && read.data.operation === 'Apply';
    if (!read.success || read.data.subresource !== undefined || !(isOwn || from.has(read.data.manager))) {
      others.push(entry);
      continue;
    }
    if (isOwn) {
      taken = merged(taken, read.data.fieldsV1);
      continue;
    }
    const { 'f:spec': spec, ...rest } = read.data.fieldsV1;
    const { 'f:desiredState': state, ...fields } = spec;
    taken = merged(taken, { 'f:spec': fields });
    const left = state === undefined ? rest : { ...rest, 'f:spec': { 'f:desiredState': state } };
    if (Object.keys(left).length > 0) others.push({ ...read.data, fieldsV1: left });
  }
  const own = { manager, operation: 'Apply', apiVersion, fieldsType: 'FieldsV1', fieldsV1: taken };
  return [own, ...others];
}

function merged(a: Owned, b: Owned): Owned {
  const both = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const [left, right] = [owned.safeParse(both[key]), owned.safeParse(value)];
    both[key] = left.success && right.success ? merged(left.data, right.data) : value;
  }
  return both;
}
