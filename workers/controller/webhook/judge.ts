/**
 * What a pipeline is refused for, and warned about, as far as its spec alone says it. Pure.
 *
 * A1  Nothing stands in the way of a deletion: no delete, no status, no finalizer and no other metadata is looked at, nor
 *     anything about an object that is being deleted.
 * A2  A spec that is stored already is not refused for what it is (`./known-problems.ts`), whatever the rules are today.
 * A3  The words are those of lint.
 */
import { changesBetween } from '../../../crds/changes.ts';
import { compile } from '../../../crds/compile.ts';
import { pointerKeys } from '../../../crds/issue.ts';
import { lint, type LintIssue } from '../../../crds/lint.ts';
import { pipelineSchema, type Pipeline } from '../../../crds/pipeline.ts';
import type { KubeObject } from '../../../kubernetes/objects.ts';
import { MillraceError } from '../../../model/errors.ts';
import { canonicalJson, toJson } from '../../../model/json.ts';
import { group, kind } from '../../../model/names.ts';
import type { Plan } from '../../../model/plan.ts';
import { pathText } from '../../../model/schema-problem.ts';
import { knownIn } from './known-problems.ts';
import type { AdmissionRequest, Problem, Verdict } from './review.ts';

export interface Judged extends Verdict {
  /** Of the new spec; undefined: it has none, for reasons that are not new. */
  readonly plan: Plan | undefined;
  /** Of the stored spec. */
  readonly before: Plan | undefined;
}

/** A1. */
export function isToBeJudged(request: AdmissionRequest): boolean {
  const { operation, object, oldObject, subResource } = request;
  if (request.kind.group !== group || request.kind.kind !== kind || subResource !== '') return false;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
  if (object == null || object.metadata.deletionTimestamp !== undefined) return false;
  return operation === 'CREATE' || oldObject == null || !isSameSpec(object, oldObject);
}

function isSameSpec(a: KubeObject, b: KubeObject): boolean {
  return canonicalJson(toJson(a['spec'] ?? null)) === canonicalJson(toJson(b['spec'] ?? null));
}

export function judge({ object, oldObject }: Pick<AdmissionRequest, 'object' | 'oldObject'>): Judged {
  const wanted = written(object ?? { metadata: { name: '' } });
  const stored = oldObject == null ? undefined : written(oldObject);
  const isKnown = stored === undefined ? () => false : knownIn({ value: stored, issues: lint(stored) }, wanted);
  const issues = lint(wanted);
  const errors = issues.filter(({ severity }) => severity === 'error');
  const problems = errors.filter((issue) => !isKnown(issue)).map(problemOf);
  const warnings = issues.filter((issue) => issue.severity === 'warning' || isKnown(issue));
  const said = { problems, warnings: warnings.map(({ message }) => message) };
  if (errors.length > 0) return { ...said, plan: undefined, before: undefined };
  return { ...said, ...plansOf(wanted, stored) };
}

/** Without what people do not write, and lint does not read. */
function written({ metadata, status: _, ...rest }: KubeObject): KubeObject {
  const { managedFields: __, ...kept } = metadata;
  return { ...rest, metadata: kept };
}

function plansOf(
  wanted: KubeObject,
  stored: KubeObject | undefined,
): Pick<Judged, 'plan' | 'before'> & { readonly problems: readonly Problem[] } {
  const before = stored === undefined ? undefined : planOf(stored);
  const old = before instanceof MillraceError ? undefined : before;
  const plan = planOf(wanted);
  if (plan instanceof MillraceError) return { problems: [inWords(plan)], plan: undefined, before: old };
  const refusals = plan === undefined || old === undefined ? [] : changesBetween(old, plan).refusals;
  return { problems: refusals.map((refused) => ({ field: 'spec', message: `${refused}.` })), plan, before: old };
}

/** Undefined: it is no pipeline, which is said elsewhere. */
function planOf(object: KubeObject): Plan | MillraceError | undefined {
  const parsed = pipelineSchema.safeParse(object);
  return parsed.success ? compiled(parsed.data) : undefined;
}

function compiled(pipeline: Pipeline): Plan | MillraceError {
  try {
    return compile(pipeline);
  } catch (error) {
    if (error instanceof MillraceError && error.handling === 'refuse') return error;
    throw error;
  }
}

function problemOf({ path, message }: LintIssue): Problem {
  return { field: pathText(pointerKeys(path).map((key) => (/^\d+$/.test(key) ? Number(key) : key))), message };
}

/** An error of the table. */
export function inWords(error: MillraceError): Problem {
  const { path } = error.params;
  return { field: typeof path === 'string' ? path : 'spec', message: error.sentence };
}
