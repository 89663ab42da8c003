/**
 * Which errors of a spec are new. A newer version of Millrace may refuse what an older one stored: such a pipeline must
 * still be paused, stopped or mended step by step. Kubernetes calls the same for its own rules ratcheting. Pure.
 */
import { pointerKeys } from '../../../crds/issue.ts';
import type { LintIssue } from '../../../crds/lint.ts';
import { canonicalJson, toJson } from '../../../model/json.ts';

export interface Linted {
  /** What was checked. */
  readonly value: unknown;
  readonly issues: readonly LintIssue[];
}

/**
 * True for an error that was there before, about a value that is as it was. Items of lists are known by their names, so
 * that removing one makes no news of those behind it.
 */
export function knownIn(before: Linted): (issue: LintIssue, value: unknown) => boolean {
  const known = new Set(before.issues.map((issue) => identityOf(issue, before.value)));
  return (issue, value) => known.has(identityOf(issue, value));
}

function identityOf({ code, path }: LintIssue, value: unknown): string {
  const names: string[] = [];
  let at = value;
  for (const key of pointerKeys(path)) {
    at = memberOf(at, key);
    names.push(nameOf(at) ?? key);
  }
  return canonicalJson([code, names, at === undefined ? null : toJson(at)]);
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(key)
    : undefined;
}

/** Of an item of a list. */
function nameOf(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string'
    ? value.name
    : undefined;
}
