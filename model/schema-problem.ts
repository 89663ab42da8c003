/**
 * What a schema library finds wrong, in our words. Its errors are recognised by their form, because this folder has no
 * schema library, and because some of them are no `Error`.
 *
 * The value is not repeated: it may be a secret. `crds/schema-issues.ts` adds it where it is none.
 */
import { counted } from './text.ts';

/** The part of zod's issues that is worded here. */
export interface SchemaIssue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly expected?: string | undefined;
  readonly values?: readonly unknown[] | undefined;
  readonly origin?: string | undefined;
  readonly minimum?: number | bigint | undefined;
  readonly maximum?: number | bigint | undefined;
  readonly divisor?: number | undefined;
  readonly format?: string | undefined;
  readonly pattern?: string | undefined;
  readonly keys?: readonly string[] | undefined;
}

interface SchemaError {
  readonly issues: readonly SchemaIssue[];
}

/** So many are worded. */
const worded = 3;

/** `columns[0].type must be text; 2 more`. Undefined: `error` is not of a schema. */
export function schemaProblem(error: unknown): string | undefined {
  if (!isSchemaError(error)) return undefined;
  const { issues } = error;
  const named = issues.slice(0, worded).map(sentenceOf);
  return [...named, ...(issues.length > worded ? [`${issues.length - worded} more`] : [])].join('; ');
}

function isSchemaError(error: unknown): error is SchemaError {
  if (typeof error !== 'object' || error === null || !('name' in error) || !('issues' in error)) return false;
  return (error.name === 'ZodError' || error.name === '$ZodError') && Array.isArray(error.issues);
}

function sentenceOf(issue: SchemaIssue): string {
  return `${pathText(issue.path) || 'the value'} ${wordsOf(issue)}`;
}

function wordsOf(issue: SchemaIssue): string {
  if (issue.code === 'custom') return issue.message;
  if (issue.code === 'unrecognized_keys') return `has unknown fields: ${issue.keys?.join(', ')}`;
  return demandOf(issue) ?? 'does not fit';
}

/** `sources[0].kafka`; nothing for the whole. */
export function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.startsWith('.') ? text.slice(1) : text;
}

/** What must be, without what is. Undefined: a rule of ours, which has its own words, or a kind without any. */
export function demandOf(issue: SchemaIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${article(issue.expected ?? 'value')}`;
    case 'invalid_value':
      return `must be ${oneOf(issue.values ?? [])}`;
    case 'too_small':
      return `must ${sizeWord(issue.origin)} at least ${amount(issue.minimum, issue.origin)}`;
    case 'too_big':
      return `must ${sizeWord(issue.origin)} at most ${amount(issue.maximum, issue.origin)}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return issue.format === 'regex' && issue.pattern !== undefined
        ? `must match ${issue.pattern}`
        : `must be a valid ${issue.format}`;
    default:
      return undefined;
  }
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

function sizeWord(origin: string | undefined): string {
  return origin === 'number' || origin === 'int' ? 'be' : 'have';
}

function amount(limit: number | bigint | undefined, origin: string | undefined): string {
  const units: Readonly<Partial<Record<string, readonly [one: string, several: string]>>> = {
    string: ['character', 'characters'],
    array: ['item', 'items'],
    set: ['item', 'items'],
    object: ['entry', 'entries'],
    record: ['entry', 'entries'],
  };
  const unit = origin === undefined ? undefined : units[origin];
  return unit === undefined || limit === undefined ? `${limit}` : counted(limit, ...unit);
}
