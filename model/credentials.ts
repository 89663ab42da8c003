/**
 * References to Secrets and ConfigMaps inside text: `$(secret:NAME/KEY)`, `$(configMap:NAME/KEY)`.
 *
 * They stay as written everywhere except in the memory of the pod that uses them.
 */
import type { CredentialRef } from './plan.ts';
import type { Json } from './value.ts';

/** A name has no dot, so that `<kind>.<name>.<key>` says which is which (`./names.ts`, credentialKey). */
const reference = /\$\((secret|configMap):([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)\/([-._A-Za-z0-9]+)\)/g;
const opening = /\$\(\s*(?:secret|configmap)\b/gi;

export interface FoundReferences {
  readonly refs: readonly CredentialRef[];
  /** Paths of text with something that starts like a reference but is not well formed. */
  readonly malformed: readonly (readonly (string | number)[])[];
}

/** Every reference in a value, each once, in the order of appearance. */
export function findReferences(value: Json): FoundReferences {
  const refs = new Map<string, CredentialRef>();
  const malformed: (string | number)[][] = [];
  visit(value, [], (text, path) => {
    const found = [...text.matchAll(reference)];
    for (const [written, kind, name, key] of found) {
      if (name === undefined || key === undefined) continue;
      refs.set(written, { kind: kind === 'secret' ? 'secret' : 'configMap', name, key });
    }
    if ([...text.matchAll(opening)].length > found.length) malformed.push([...path]);
  });
  return { refs: [...refs.values()], malformed };
}

/** The path of the first text with this reference. */
export function pathOfReference(value: Json, ref: CredentialRef): readonly (string | number)[] {
  let first: readonly (string | number)[] | undefined;
  visit(value, [], (text, path) => {
    const isHere = findReferences(text).refs.some(
      ({ kind, name, key }) => kind === ref.kind && name === ref.name && key === ref.key,
    );
    if (isHere) first ??= [...path];
  });
  return first ?? [];
}

/** Whether a text has the start of a reference, well formed or not. */
export function mayHoldReference(text: string): boolean {
  return text.search(opening) >= 0;
}

/** A copy with every reference replaced by the result of `resolve`, which is not searched for references again. */
export function resolveReferences(value: Json, resolve: (ref: CredentialRef) => string): Json {
  if (typeof value === 'string') {
    return value.replaceAll(reference, (_, kind: string, name: string, key: string) =>
      resolve({ kind: kind === 'secret' ? 'secret' : 'configMap', name, key }),
    );
  }
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map((member) => resolveReferences(member, resolve));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolveReferences(member, resolve)]));
}

/**
 * The identity under which a connector logs in, for the person who must repair it. Parts of sentences; no value of a
 * Secret.
 */
export interface Identity {
  /** `user "app"`. */
  readonly user: string;
  /** `username, password (key "password" of Secret "ch")`. */
  readonly credentials: string;
}

/** Names of the fields with which connectors identify themselves, in the order of the message. */
const identityFields = ['username', 'password', 'token', 'cert', 'key'] as const;

/** From a configuration as in the plan, with its references unresolved. */
export function identityOf(config: Json): Identity {
  const texts = new Map<string, string>();
  visit(config, [], (text, path) => {
    const name = path.at(-1);
    if (typeof name === 'string' && !texts.has(name)) texts.set(name, text);
  });
  const username = texts.get('username');
  const told = identityFields.flatMap((name) => {
    const text = texts.get(name);
    if (text === undefined) return [];
    const keys = findReferences(text).refs.map(credentialText);
    return [keys.length === 0 ? name : `${name} (${keys.join(', ')})`];
  });
  return {
    user: username === undefined ? 'its user' : `user "${username}"`,
    credentials: told.length === 0 ? 'whether it asks for a user' : told.join(', '),
  };
}

/** `key "password" of Secret "ch"`. */
function credentialText({ kind, name, key }: CredentialRef): string {
  return `key "${key}" of ${kind === 'secret' ? 'Secret' : 'ConfigMap'} "${name}"`;
}

function visit(value: Json, path: (string | number)[], seen: (text: string, path: (string | number)[]) => void): void {
  if (typeof value === 'string') return seen(value, path);
  if (typeof value !== 'object' || value === null) return;
  if (isList(value)) value.forEach((member, i) => visit(member, [...path, i], seen));
  else for (const [key, member] of Object.entries(value)) visit(member, [...path, key], seen);
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
