/**
 * One lint for the CLI, the API and all others: the same issues, in the same words.
 *
 * N1  Never throws, whatever the value is.
 * N2  An error means that the API server or `compile` would refuse; everything else is a warning.
 * N3  Pure: no cluster, no network, no file.
 * N4  The work grows with the size of what is checked, and not with its square: it is done on the thread that answers all
 *     callers of the API, and all questions of the API server.
 */
import { pipelineObjectSchema } from './crd.ts';
import type { SchemaNode } from './crd-schema.ts';
import { apiVersion, kind } from '../model/names.ts';
import { mr, type ErrorCode, type MillraceError } from '../model/errors.ts';
import { jsonPointer, type Issue, type IssuePath } from './issue.ts';
import { adviceFor } from './advice.ts';
import { pipelineSchema } from './pipeline.ts';
import { ruleIssues } from './rules.ts';
import { shownText } from './shown-text.ts';
import { schemaIssues, type SchemaIssues } from './schema-issues.ts';
import { partsOf, type SpecParts } from './spec-parts.ts';
import { placesIn, type Place } from './yaml-places.ts';
import { unstorableIn } from './unstorable.ts';
import { ambiguitiesIn } from './yaml-versions.ts';

export interface LintIssue {
  readonly severity: 'error' | 'warning';
  readonly code: ErrorCode;
  /** JSON pointer into the document. */
  readonly path: string;
  readonly message: string;
  /** What was probably meant: a word to replace the one at the position. */
  readonly suggestion?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  /** Column after the last character, when the place is within one line. */
  readonly endColumn?: number;
}

/** Issues of a pipeline that was parsed already: the first thousand, errors before warnings, and how many there are more. */
export function lint(value: unknown): LintIssue[] {
  return listed(findIssues(value)).map((issue) => published(issue));
}

/** The first reason for which the value would be refused; undefined: it would be accepted. */
export function firstError(value: unknown): MillraceError | undefined {
  return findIssues(value).issues.find(({ severity }) => severity === 'error')?.error;
}

/** Issues of a text with one or more pipelines, YAML or JSON. `file` is its name, for messages about the whole text. */
export function lintText(text: string, file: string): LintIssue[] {
  return inspect(text, file).issues;
}

export interface LintedText {
  /** The text with every secret in it covered (`./shown-text.ts`). Lines and columns are those of the issues. */
  readonly shown: string;
  readonly issues: readonly LintIssue[];
}

/** The same, for callers that show the text next to its issues. */
export function lintFile(text: string, file: string): LintedText {
  const { issues, checked, isWhole } = inspect(text, file);
  return { shown: shownText(text, checked, isWhole), issues };
}

function inspect(text: string, file: string) {
  const { documents, broken } = placesIn(text);
  const checked = documents.map((placed) => ({
    ...placed,
    issues: listed(findIssues(placed.value), ambiguitiesIn(placed.document)),
  }));
  const isEmpty = documents.length === 0 && broken.length === 0;
  const issues = [
    ...(isEmpty ? [published(whole(`there is no pipeline in ${file}`), { line: 1, column: 1 })] : []),
    ...broken.map(({ problem, place }) => published(whole(problem), place)),
    ...checked.flatMap(({ issues: of, placeOf }) => of.map((issue) => published(issue, placeOf(issue)))),
  ].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  return { issues, checked, isWhole: broken.length === 0 };
}

/** Nobody reads more, and each is looked for in the text. */
const mostIssues = 1_000;

function listed({ issues: found, unmade }: SchemaIssues, others: readonly Issue[] = []): readonly Issue[] {
  const issues = [...found, ...others];
  if (issues.length + unmade <= mostIssues) return issues;
  const errors = issues.filter(({ severity }) => severity === 'error');
  const first = (errors.length === 0 ? issues : errors).filter((_, index) => index < mostIssues);
  return [...first, whole(`${issues.length + unmade - first.length} more issues are not listed`)];
}

function findIssues(value: unknown): SchemaIssues {
  const unstorable = unstorableIn(value);
  if (unstorable !== undefined) return { issues: [unstorable], unmade: 0 };
  const checked = pipelineSchema.safeParse(value);
  if (checked.success) return { issues: withRules(checked.data.spec), unmade: 0 };
  const found = schemaIssues(checked.error.issues, value, objectSchema(), mostIssues);
  // What the rules find is behind those.
  if (found.unmade > 0) return found;
  const parts = partsOf(withoutUnknown(value, found.issues));
  if (parts === undefined) return found;
  const told = placesOfUnknown(found.issues);
  const ruled = withRules(parts).filter((issue) => !isToldBy(told, issue));
  return { issues: [...found.issues, ...ruled], unmade: 0 };
}

/** "names none of kafka, http" adds nothing when `kafak` was found in the same place. */
function isToldBy(told: ReadonlySet<string>, { error, path }: Issue): boolean {
  return error.code === 'MR_SPEC_ONE_CONNECTOR' && error.params['count'] === 0 && told.has(jsonPointer(path));
}

/** Where fields were found that are not known. */
function placesOfUnknown(found: readonly Issue[]): ReadonlySet<string> {
  const fields = found.filter(({ error, isAboutKey }) => error.code === 'MR_SPEC_UNKNOWN_FIELD' && isAboutKey === true);
  return new Set(fields.map(({ path }) => jsonPointer(path.slice(0, -1))));
}

function withRules(spec: SpecParts): readonly Issue[] {
  return [...ruleIssues(spec), ...adviceFor(spec)];
}

let schema: SchemaNode | undefined;

/**
 * The schema of the CRD with the fields that Kubernetes defines itself. The CRD must not repeat those, but a field that
 * a schema does not know may be a secret (`./secrecy.ts`, S2).
 */
function objectSchema(): SchemaNode {
  schema ??= withKubernetes(pipelineObjectSchema());
  return schema;
}

function withKubernetes(object: SchemaNode): SchemaNode {
  const name = { type: 'string', pattern: '^[-.a-z0-9]*$' };
  const labels = { type: 'object', additionalProperties: { type: 'string', pattern: '^[-._A-Za-z0-9]*$' } };
  const annotations = { type: 'object', additionalProperties: { type: 'string' } };
  return {
    ...object,
    properties: {
      ...object.properties,
      apiVersion: { type: 'string', enum: [apiVersion] },
      kind: { type: 'string', enum: [kind] },
      metadata: { type: 'object', properties: { name, namespace: name, labels, annotations } },
    },
  };
}

/** The value without unknown fields, so that the rules can check the rest. */
function withoutUnknown(value: unknown, issues: readonly Issue[]): unknown {
  const unknown = new Set(
    issues.flatMap(({ error, path }) => (error.code === 'MR_SPEC_UNKNOWN_FIELD' ? [jsonPointer(path)] : [])),
  );
  return unknown.size === 0 ? value : copyWithout(value, [], unknown);
}

function copyWithout(value: unknown, path: IssuePath, unknown: ReadonlySet<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((member, i) => copyWithout(member, [...path, i], unknown));
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => {
      const at = [...path, key];
      return unknown.has(jsonPointer(at)) ? [] : [[key, copyWithout(member, at, unknown)] as const];
    }),
  );
}

function whole(problem: string): Issue {
  return { severity: 'error', path: [], error: mr('MR_SPEC_INVALID', { path: 'the document', problem }) };
}

function published({ severity, path, error, suggestion }: Issue, place?: Place): LintIssue {
  return {
    severity,
    code: error.code,
    path: jsonPointer(path),
    message: messageOf(error.message, error.code, error.fix),
    ...(suggestion === undefined ? {} : { suggestion }),
    ...place,
  };
}

/** The sentence without the code, and the hint if it says more than "correct it". */
function messageOf(message: string, code: ErrorCode, fix: string): string {
  const sentence = message.slice(code.length + 2);
  return code === 'MR_SPEC_INVALID' || fix.startsWith('Correct ') ? sentence : `${sentence} ${fix}`;
}
