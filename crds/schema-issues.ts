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
import { displayPath, type Issue, type IssuePath } from './issue.ts';
import { mayHoldSecret, nodeAt } from './secrecy.ts';

/** `value` is what was checked, `schema` what it was checked against. */
export function schemaIssues(found: readonly z.core.$ZodIssue[], value: unknown, schema: SchemaNode): readonly Issue[] {
  return found.flatMap((issue) => {
    const path = plainPath(issue.path);
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => unknownField(path, key, schema, valueAt(value, [...path, key])));
    if (issue.code === 'invalid_key') return issue.issues.flatMap((inner) => keyIssue(inner, path));
    return [invalid(path, issue, valueAt(value, path), mayHoldSecret(nodeAt(schema, path)))];
  });
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
  // Where a name is expected, there is something else, and no known name is close: perhaps a secret without its name.
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

function keyIssue(issue: z.core.$ZodIssue, path: IssuePath): readonly Issue[] {
  const key = path.at(-1);
  return [
    {
      severity: 'error',
      path,
      isAboutKey: true,
      error: mr('MR_SPEC_INVALID', { path: displayPath(path), problem: `as a name, ${problemOf(issue, key, shown)}` }),
    },
  ];
}

/** For a value that is not a secret, outside of a pipeline: `must be a whole number, but is "x"`. */
export function issueProblem(issue: z.core.$ZodIssue, actual: unknown): string {
  if (issue.code === 'unrecognized_keys')
    return `${issue.keys.map((key) => JSON.stringify(key)).join(', ')} is not known`;
  if (actual === undefined) return 'is required';
  // A number in a query string is text until it is checked.
  const isNumber = (issue.code === 'too_big' || issue.code === 'too_small') && issue.origin !== 'string';
  if (isNumber && typeof actual === 'string') return problemOf(issue, Number(actual), shown);
  return issue.code === 'custom' ? issue.message : problemOf(issue, actual, shown, 'does not fit');
}

function problemOf(
  issue: z.core.$ZodIssue,
  actual: unknown,
  describe: (value: unknown) => string,
  otherwise = issue.message,
): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${article(issue.expected)}, but is ${describe(actual)}`;
    case 'invalid_value':
      return `must be ${oneOf(issue.values)}, but is ${describe(actual)}`;
    case 'too_small':
      return `must ${sizeWord(issue.origin)} at least ${issue.minimum}${unitOf(issue.origin)}, but ${sizeOf(actual, describe)}`;
    case 'too_big':
      return `must ${sizeWord(issue.origin)} at most ${issue.maximum}${unitOf(issue.origin)}, but ${sizeOf(actual, describe)}`;
    case 'invalid_format':
      return issue.format === 'regex' && issue.pattern !== undefined
        ? `must match ${issue.pattern}, but is ${describe(actual)}`
        : `must be a valid ${issue.format}, but is ${describe(actual)}`;
    default:
      return otherwise;
  }
}

/** A typo in one of a few words: `running` for `Running`. */
function suggestionFor(issue: z.core.$ZodIssue, actual: unknown): string | undefined {
  if (issue.code !== 'invalid_value' || typeof actual !== 'string') return undefined;
  return closest(actual, issue.values.map(String));
}

function oneOf(values: readonly unknown[]): string {
  const words = values.map((value) => `"${String(value)}"`);
  return words.length === 1 ? words.join('') : `one of ${words.join(', ')}`;
}

function article(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    array: 'a list',
    object: 'an object',
    record: 'an object',
    int: 'a whole number',
    boolean: 'true or false',
    string: 'text',
  };
  return names[expected] ?? `a ${expected}`;
}

const shownLength = 60;

function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return `${value}`;
  if (typeof value !== 'string') return kindOf(value);
  return `"${value.length > shownLength ? `${value.slice(0, shownLength)}…` : value}"`;
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

function sizeWord(origin: string): string {
  return origin === 'number' || origin === 'int' ? 'be' : 'have';
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' || origin === 'set' ? ' items' : origin === 'object' ? ' entries' : '';
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
