/**
 * Which values of a pipeline may be secrets that somebody wrote where a reference should be.
 *
 * S1  A text field that takes `$(secret:NAME/KEY)`, and every object and list around one. Found from the schema, so
 *     that a connector's new field is one without being listed.
 * S2  A field that the schema does not know: a typo in a name must not expose a password.
 *
 * Their values are in no message, whatever their type: messages end up in logs, conditions, Temporal and CI.
 */
import { closest } from '../model/closest.ts';
import type { SchemaNode } from './crd-schema.ts';
import type { IssuePath } from './issue.ts';

/** The schema of a path; undefined when the schema does not know the path. */
export function nodeAt(schema: SchemaNode, path: IssuePath): SchemaNode | undefined {
  return path.reduce<SchemaNode | undefined>(
    (node, key) => (typeof key === 'number' ? node?.items : (node?.properties?.[key] ?? node?.additionalProperties)),
    schema,
  );
}

/** S1, S2. */
export function mayHoldSecret(node: SchemaNode | undefined): boolean {
  if (node === undefined) return true;
  const members = [...Object.values(node.properties ?? {}), node.items, node.additionalProperties];
  if (members.some((member) => member !== undefined && mayHoldSecret(member))) return true;
  return node.type === 'string' && takesReference(node);
}

const reference = '$(secret:name/key)';

function takesReference({ enum: words, pattern, maxLength }: SchemaNode): boolean {
  if (words !== undefined || (maxLength ?? Infinity) < reference.length) return false;
  return pattern === undefined || new RegExp(pattern).test(reference);
}

/** Names of fields that contain only a secret. */
const secretWords = ['password', 'passphrase', 'token', 'secret'];
const secretNames = [...secretWords, 'apiKey', 'privateKey', 'accessKey', 'key'];

export function isSecretName(name: string): boolean {
  return secretNames.some((known) => known.toLowerCase() === name.toLowerCase());
}

/** `pasword`, `dbPassword`, `auth_token`. */
export function looksLikeSecretName(name: string): boolean {
  return (
    isSecretName(name) ||
    /(pass|passwd|password|passphrase|pwd|token|secret|credentials?)$/i.test(name) ||
    closest(name, secretWords) !== undefined
  );
}

/** Contains only references, and between them only separators. */
export function isOnlyReferences(text: string): boolean {
  return /^(?:\$\((?:secret|configMap):[^()\s]+\)[\s:/@.,;-]*)+$/.test(text);
}

/** Place of the password in `https://user:password@host`; undefined: there is none. */
export function passwordInUrl(text: string): { readonly start: number; readonly end: number } | undefined {
  const found = /:\/\/[^/@\s:]*:(?<password>[^/@\s]+)@/d.exec(text);
  const [start, end] = found?.indices?.groups?.['password'] ?? [];
  if (start === undefined || end === undefined || isOnlyReferences(text.slice(start, end))) return undefined;
  return { start, end };
}
