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
 * KF5 What a manager has written other than by server-side apply has an entry of its own, and the manager's next apply
 *     would not remove it. So a take-over unites its entries.
 * KF6 Under force all goes that the document lacks, but for the state that another manager has set (KF2) and what a
 *     command has set under a manager of its own (`./pipelines.ts`, D3).
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
  fieldsV1: z.looseObject({ 'f:spec': owned.optional() }),
});

interface Metadata {
  readonly [field: string]: unknown;
}

interface Documents {
  /** The object's spec now. */
  readonly stored: unknown;
  /** The spec as the document has it. */
  readonly named: unknown;
  /** With the defaults of what it leaves out. */
  readonly wanted: unknown;
}

export function keptFields(metadata: Metadata, documents: Documents): readonly KeptField[] {
  return managedEntries(metadata, entrySchema)
    .filter(isForeign)
    .flatMap(({ manager, fieldsV1 }) => {
      const { 'f:desiredState': _, ...fields } = fieldsV1['f:spec'] ?? {};
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

/** KF6: what `manager` leaves of the stored spec when it forces a document. */
export function leftUnderForce(
  metadata: Metadata,
  { stored, named }: Omit<Documents, 'wanted'>,
  manager: string,
): Owned {
  const entries = managedEntries(metadata, entrySchema).filter(({ subresource }) => subresource === undefined);
  const fields = new Set(entries.flatMap((entry) => fieldsLeft(entry, manager)));
  const left = [...fields].filter((field) => memberOf(named, field) === undefined);
  return Object.fromEntries(left.map((field) => [field.slice(2), memberOf(stored, field)]));
}

function fieldsLeft({ manager: by, fieldsV1 }: z.output<typeof entrySchema>, manager: string): readonly string[] {
  if (by === manager) return [];
  return Object.keys(fieldsV1['f:spec'] ?? {}).filter(
    (field) => field === 'f:desiredState' || (isOwnManager(by) && by.endsWith(`-${field.slice(2)}`)),
  );
}

const wordsSchema = z.looseObject({
  manager: z.string().optional(),
  fieldsV1: z.looseObject({ 'f:metadata': z.record(z.string(), owned) }),
});

/** The labels or annotations without those that `manager` alone has set, as its next apply leaves them. */
export function othersWords(metadata: Metadata, kind: 'labels' | 'annotations', manager: string): Owned {
  const owners = managedEntries(metadata, wordsSchema).map(({ manager: by, fieldsV1 }) => ({
    isOwn: by === manager,
    words: fieldsV1['f:metadata'][`f:${kind}`] ?? {},
  }));
  const isOthers = (name: string) => {
    const its = owners.filter(({ words }) => `f:${name}` in words);
    return its.length === 0 || its.some(({ isOwn }) => !isOwn);
  };
  const words = Object.entries(owned.catch({}).parse(metadata[kind]));
  return Object.fromEntries(words.filter(([name]) => isOthers(name)));
}

/** KF5: whether `manager` has written something without server-side apply. */
export function hasUpdated(metadata: Metadata, manager: string): boolean {
  return managedEntries(metadata, entrySchema).some(
    (entry) => entry.manager === manager && entry.operation === 'Update' && entry.subresource === undefined,
  );
}

/** KF4, KF5: `metadata.managedFields` under which `manager` owns what it has written, and of the spec what these own. */
export function takenOver(metadata: Metadata, from: ReadonlySet<string>, manager: string): readonly unknown[] {
  let taken: Owned = {};
  const others: unknown[] = [];
  // The name of a manager may be missing; such an entry says who owns what, too.
  for (const entry of managedEntries(metadata, z.looseObject({}))) {
    const read = entrySchema.safeParse(entry);
    const isOwn = read.data?.manager === manager;
    if (!read.success || read.data.subresource !== undefined || !(isOwn || from.has(read.data.manager))) {
      others.push(entry);
      continue;
    }
    if (isOwn) {
      taken = merged(taken, read.data.fieldsV1);
      continue;
    }
    const { 'f:spec': spec = {}, ...rest } = read.data.fieldsV1;
    const { 'f:desiredState': state, ...fields } = spec;
    // Nothing within would mean the spec as a whole.
    if (Object.keys(fields).length > 0) taken = merged(taken, { 'f:spec': fields });
    const left = state === undefined ? rest : { ...rest, 'f:spec': { 'f:desiredState': state } };
    if (Object.keys(left).length > 0) others.push({ ...read.data, fieldsV1: left });
  }
  if (Object.keys(taken).length === 0) return others;
  return [{ manager, operation: 'Apply', apiVersion, fieldsType: 'FieldsV1', fieldsV1: taken }, ...others];
}

function merged(a: Owned, b: Owned): Owned {
  const both = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const [left, right] = [owned.safeParse(both[key]), owned.safeParse(value)];
    both[key] = left.success && right.success ? merged(left.data, right.data) : value;
  }
  return both;
}
