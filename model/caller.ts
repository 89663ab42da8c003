/**
 * Who asks: the identity under which Kubernetes knows a person or a program.
 *
 * I1  A caller is written into headers of requests to Kubernetes. A name that would be another one there (it ends with a space,
 *     it has a line break), or that people would take for another one (it has characters that are not seen), belongs to nobody:
 *     {@link callerFault} says why.
 */

export interface Caller {
  /** As RBAC has it: `oidc:jane`, `system:serviceaccount:shop:ci`. */
  readonly name: string;
  readonly uid?: string | undefined;
  /** `system:authenticated` is one of them. */
  readonly groups: readonly string[];
  /** What else the authenticator said, by key. */
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** The group of all whose name is known. */
export const authenticatedGroup = 'system:authenticated';

/** Longer names are nobody's; they would only fill headers and logs. */
const maxNameLength = 1_024;
const unseen = /[\p{Cc}\p{Cf}]/u;

/** Why nobody can be called so, as the end of a sentence; undefined: it is a name. */
export function callerFault({ name, uid = '-', groups, extra }: Caller): string | undefined {
  const named = [
    ['name', name] as const,
    ['uid', uid] as const,
    ...groups.map((group) => ['group', group] as const),
    ...Object.entries(extra).flatMap(([key, values]) => [
      ['extra key', key] as const,
      ...values.map((value) => ['extra value', value] as const),
    ]),
  ];
  for (const [what, text] of named) {
    const problem = textFault(text);
    if (problem !== undefined) return `a ${what} ${problem}`;
  }
  return undefined;
}

function textFault(text: string): string | undefined {
  if (text === '') return 'that is empty';
  if (text.length > maxNameLength) return `of more than ${maxNameLength} characters`;
  if (unseen.test(text)) return 'with characters that are not seen';
  if (text !== text.trim()) return 'with spaces around it';
  return text.isWellFormed() ? undefined : 'that is no text';
}

/** Namespace and name of a ServiceAccount; undefined: it is none. */
export function serviceAccountOf({ name }: Pick<Caller, 'name'>): { namespace: string; name: string } | undefined {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name) ?? [];
  return namespace === undefined || account === undefined ? undefined : { namespace, name: account };
}
