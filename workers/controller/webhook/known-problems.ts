/**
 * Which errors of a spec are new. A newer version of Millrace may refuse what an older one stored: such a pipeline must
 * still be paused, stopped or mended step by step. Kubernetes calls the same for its own rules ratcheting. Pure.
 */
import { createHash } from 'node:crypto';
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
 * that removing one makes no news of those behind it. `now`: the value in which the errors are that are asked about.
 */
export function knownIn(before: Linted, now: unknown): (issue: LintIssue) => boolean {
  const placeBefore = placesIn(before.value);
  const known = new Set(before.issues.map(({ code, path }) => `${code} ${placeBefore(path)}`));
  const placeNow = placesIn(now);
  return ({ code, path }) => known.has(`${code} ${placeNow(path)}`);
}

/**
 * What is at a path, and under which names, as a digest: much may be wrong with one large value, which is then neither written
 * nor kept nor compared for each error.
 */
function placesIn(value: unknown): (path: string) => string {
  const written = new Map<string, string>();
  return (path) => {
    const place = written.get(path) ?? placeAt(value, path);
    written.set(path, place);
    return place;
  };
}

function placeAt(value: unknown, path: string): string {
  const names: string[] = [];
  let at = value;
  for (const key of pointerKeys(path)) {
    at = memberOf(at, key);
    names.push(nameOf(at) ?? key);
  }
  const text = canonicalJson([names, at === undefined ? null : toJson(at)]);
  return createHash('sha256').update(text).digest('hex');
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

/** Longer than a name may be, and repeated for each error below it. */
const longestName = 63;

/** Of an item of a list. */
function nameOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('name' in value)) return undefined;
  const { name } = value;
  return typeof name === 'string' && name.length <= longestName ? name : undefined;
}
