/**
 * The configuration of a source or sink with its `$(secret:…)` and `$(configMap:…)` resolved from the mounted files.
 * The result stays in this process's memory and is never logged or reported (`./secrets.ts` learns each value).
 *
 * V1  For a value that the connector cannot use, the error names the credential and the field and says what is wrong,
 *     without repeating any of the value.
 * V2  A value that ends with a line break is refused: no header can contain it, and it is there by accident.
 *     Certificates and keys in PEM may end with one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { findReferences, pathOfReference, resolveReferences } from '../../model/credentials.ts';
import { mr, type MillraceError } from '../../model/errors.ts';
import { credentialKey } from '../../model/names.ts';
import type { CredentialRef } from '../../model/plan.ts';
import type { Json } from '../../model/value.ts';
import type { Secrets } from './secrets.ts';

export interface ConfigPlace {
  /** As in the plan, with references. */
  readonly config: Json;
  /** `sink warehouse`. */
  readonly where: string;
  /** Namespace of the referenced objects. */
  readonly namespace: string;
  /** Where they are mounted. */
  readonly directory: string;
  readonly secrets: Secrets;
  /** The connector's own schema. */
  readonly parse: (config: unknown) => unknown;
}

/** Reads the files at each call, so that a retry sees a corrected Secret. */
export function readConfig(place: ConfigPlace): unknown {
  const { config, namespace, directory, secrets, parse } = place;
  const resolved = resolveReferences(config, (ref) => {
    const value = readCredential(ref, directory, namespace);
    secrets.learn(ref, value);
    if (endsWithLineBreak(value)) throw unusable(ref, pathOfReference(config, ref), lineBreakAtEnd, place);
    return value;
  });
  try {
    return parse(resolved);
  } catch (error) {
    throw error instanceof z.ZodError ? faultOf(error, place) : error;
  }
}

function readCredential(ref: CredentialRef, directory: string, namespace: string): string {
  try {
    return readFileSync(join(directory, credentialKey(ref)), 'utf8');
  } catch (error) {
    const problem = 'it is not mounted';
    throw mr(
      'MR_SECRET_MISSING',
      { kind: kindOf(ref), name: ref.name, namespace, key: ref.key, problem },
      { cause: error },
    );
  }
}

/** V1. The error of the schema is not kept as the cause: it may repeat the value. */
function faultOf({ issues }: z.ZodError, place: ConfigPlace): MillraceError {
  const { config, where } = place;
  const found = issues.map((issue) => ({ issue, refs: findReferences(valueAt(config, issue.path)).refs }));
  const blamed = found.find(({ refs }) => refs.length > 0) ?? found[0];
  const path = blamed?.issue.path.map(String).join('.') ?? '';
  const problem = blamed === undefined ? 'does not parse' : problemOf(blamed.issue);
  const [ref] = blamed?.refs ?? [];
  // The spec passed the lint of another version.
  if (ref === undefined) return mr('MR_SPEC_INVALID', { path: `${where}: ${path}`, problem });
  return unusable(ref, blamed?.issue.path ?? [], problem, place);
}

/** V2. */
const lineBreakAtEnd = 'ends with a line break, as `echo` writes one; `echo -n` does not';

function endsWithLineBreak(value: string): boolean {
  return /[\r\n]$/.test(value) && !/-----\s*$/.test(value);
}

function unusable(
  ref: CredentialRef,
  path: readonly PropertyKey[],
  problem: string,
  { where, namespace }: ConfigPlace,
): MillraceError {
  const credential = `Key "${ref.key}" of ${kindOf(ref)} "${ref.name}" in namespace "${namespace}"`;
  return mr('MR_CREDENTIAL_UNUSABLE', { credential, field: `${path.map(String).join('.')} of ${where}`, problem });
}

/** What is wrong with a value, without the value. */
function problemOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small':
      return issue.minimum === 1 ? 'is empty' : `has fewer than ${issue.minimum} characters`;
    case 'too_big':
      return `has more than ${issue.maximum} characters`;
    case 'invalid_format':
      return `is not a valid ${issue.format}`;
    case 'custom':
      return issue.message;
    default:
      return 'is not of the form that this field must have';
  }
}

function kindOf({ kind }: CredentialRef): 'Secret' | 'ConfigMap' {
  return kind === 'secret' ? 'Secret' : 'ConfigMap';
}

function valueAt(value: Json, path: readonly PropertyKey[]): Json {
  return path.reduce<Json>((at, key) => {
    const isParent = typeof at === 'object' && at !== null;
    return isParent ? memberOf.parse(Object.getOwnPropertyDescriptor(at, key)?.value) : null;
  }, value);
}

const memberOf = z.json().catch(null);
