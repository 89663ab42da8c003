/**
 * The object that a reference names, as a text: `Secret/ch`. Notes of what was copied from where (annotation
 * millrace.io/copied-from) have it, and whoever compares versions.
 */
import type { CredentialRef } from './plan.ts';

export type SourceKind = 'Secret' | 'ConfigMap';

export interface SourceName {
  readonly kind: SourceKind;
  readonly name: string;
}

export function sourceKindOf(kind: CredentialRef['kind']): SourceKind {
  switch (kind) {
    case 'secret':
      return 'Secret';
    case 'configMap':
      return 'ConfigMap';
  }
}

/** Of a reference. */
export function sourceOf({ kind, name }: Pick<CredentialRef, 'kind' | 'name'>): SourceName {
  return { kind: sourceKindOf(kind), name };
}

export function sourceText({ kind, name }: SourceName): string {
  return `${kind}/${name}`;
}

/** undefined: somebody else has written it. */
export function parseSourceText(text: string): SourceName | undefined {
  const [, kind, name] = /^(Secret|ConfigMap)\/([^/]+)$/.exec(text) ?? [];
  if (name === undefined) return undefined;
  return { kind: kind === 'Secret' ? 'Secret' : 'ConfigMap', name };
}
