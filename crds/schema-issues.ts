/**
 * zod's findings in our words: what must be, what is, and what was probably meant.
 *
 * Where the value may be a secret, only its kind is reported (`./secrecy.ts`): that a password is a number, or that the
 * object around it is a text.
 */
import type { z } from 'zod';
import { closest } from '../model/closest.ts';
import type { SchemaNode } from './crd-schema.ts';
import { mr } from '../model/errors.ts';
import { demandOf } from '../model/schema-problem.ts';
import { cut } from '../model/text.ts';
import { displayPath, type Issue, type IssuePath } from './issue.ts';
import { mayHoldSecret, nodeAt } from './secrecy.ts';

export interface SchemaIssues {
  readonly issues: readonly Issue[];
  /** How many there are besides. */
  readonly unmade: number;
}

/** `value`: what was checked; `schema`: what it was checked against; `most`: how many are made. */
export function schemaIssues(
  found: readonly z.core.$ZodIssue[],
  value: unknown,
  schema: SchemaNode,
  most: number,
): SchemaIssues {
  // zod has a hundred thousand unknown keys in one issue; to put each in our words takes a hundred times as long.
  const makers = found.flatMap((issue): readonly (() => Issue)[] => {
    const path = plainPath(issue.path);
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => () => unknownField(path, key, schema, valueAt(value, [...path, key])));
    if (issue.code === 'invalid_key') return issue.issues.map((inner) => () => keyIssue(inner, path));
    return [() => invalid(path, issue, valueAt(value, path), mayHoldSecret(nodeAt(schema, path)))];
  });
  const issues = makers.filter((_, index) => index < most).map((make) => make());
  return { issues, unmade: makers.length - issues.length };
}

function unknownField(path: IssuePath, field: string, schema: SchemaNode, value: unknown): Issue {
  const known = Object.keys(nodeAt(schema, path)?.properties ?? {});
  const suggestion = closest(field, known);
  const hint =
    suggestion === undefined
      ? known.length === 0
        ? 'Remove it.'
        : `Known fields: ${known.join(', ')}.`
      : `Did you mean "${suggestion}"?`;
  const place = displayPath(path);
  // Not a name, and no known name is similar: perhaps a secret without its field name.
  const isNoName = !/^[\w./-]{1,40}$/.test(field) || (suggestion === undefined && value === null);
  if (isNoName) {
    const error = mr('MR_SPEC_UNKNOWN_FIELD', { path: place, field: '…', hint });
    return { severity: 'error', path, hides: 'all', error };
  }
  return {
    severity: 'error',
    path: [...path, field],
    isAboutKey: true,
    hides: 'value',
    error: mr('MR_SPEC_UNKNOWN_FIELD', { path: place, field, hint }),
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

function invalid(path: IssuePath, issue: z.core.$ZodIssue, actual: unknown, isHidden: boolean): Issue {
  const problem = actual === undefined ? 'is required' : problemOf(issue, actual, isHidden ? kindOf : shown);
  const suggestion = suggestionFor(issue, actual);
  return {
    severity: 'error',
    path,
    ...(isHidden ? { hides: 'value' } : {}),
    error: mr('MR_SPEC_INVALID', {
      path: displayPath(path),
      problem: suggestion === undefined ? problem : `${problem}; did you mean "${suggestion}"?`,
    }),
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

function keyIssue(issue: z.core.$ZodIssue, path: IssuePath): Issue {
  return {
    severity: 'error',
    path,
    isAboutKey: true,
    error: mr('MR_SPEC_INVALID', {
      path: displayPath(path),
      problem: `as a name, ${problemOf(issue, path.at(-1), shown)}`,
    }),
  };
}

/** Of a value that is no secret, outside of a pipeline: `must be a whole number, but is "x"`. */
export function issueProblem(issue: z.core.$ZodIssue, actual: unknown, known: readonly string[] = []): string {
  if (issue.code === 'unrecognized_keys') return unknownKeys(issue.keys, known);
  if (actual === undefined) return 'is required';
  // A number in a query string is text until it is checked.
  const isNumber = (issue.code === 'too_big' || issue.code === 'too_small') && issue.origin !== 'string';
  if (isNumber && typeof actual === 'string') return problemOf(issue, Number(actual), shown);
  return problemOf(issue, actual, shown);
}

function unknownKeys(keys: readonly string[], known: readonly string[]): string {
  const names = keys.map((key) => JSON.stringify(key)).join(', ');
  const [first = ''] = keys;
  const meant = closest(first, known);
  const hint =
    meant !== undefined
      ? `; did you mean "${meant}"?`
      : known.length === 0
        ? '; there are none here'
        : `; known: ${known.join(', ')}`;
  return `${names} ${keys.length === 1 ? 'is' : 'are'} not known${hint}`;
}

function problemOf(issue: z.core.$ZodIssue, actual: unknown, describe: (value: unknown) => string): string {
  const must = demandOf(issue);
  // Messages of zod are not shown: rules of ours have their own words, and a new kind of issue has none yet.
  if (must === undefined) return issue.code === 'custom' ? issue.message : 'does not fit';
  const isOfSize = issue.code === 'too_small' || issue.code === 'too_big';
  return `${must}, but ${isOfSize ? sizeOf(actual, describe) : `is ${describe(actual)}`}`;
}

/** A typo in one of a few words: `running` for `Running`. */
function suggestionFor(issue: z.core.$ZodIssue, actual: unknown): string | undefined {
  if (issue.code !== 'invalid_value' || typeof actual !== 'string') return undefined;
  return closest(actual, issue.values.map(String));
}

const shownLength = 60;

function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return `${value}`;
  if (typeof value !== 'string') return kindOf(value);
  return `"${cut(value, shownLength)}"`;
}

const kindNames: Readonly<Partial<Record<string, string>>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
};

function kindOf(value: unknown): string {
  if (value === null) return 'empty';
  return Array.isArray(value) ? 'a list' : (kindNames[typeof value] ?? typeof value);
}

function sizeOf(actual: unknown, describe: (value: unknown) => string): string {
  return typeof actual === 'string' || Array.isArray(actual) ? `has ${actual.length}` : `is ${describe(actual)}`;
}

function plainPath(path: readonly PropertyKey[]): IssuePath {
  return path.map((key) => (typeof key === 'number' ? key : String(key)));
}

function valueAt(value: unknown, path: IssuePath): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Object.getOwnPropertyDescriptor(at, key)?.value : undefined),
    value,
  );
}
