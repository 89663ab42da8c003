/**
 * Rules of a spec that need two fields or a compiler; the rules of single fields are in the schema.
 *
 * R1  A source, step or sink names exactly one connector or kind.
 * R2  A stage has at most as many replicas as slots: `slots` of a source, `buffer.shards` for a sink.
 * R3  `otherwise` is on the last sink only, without `when`.
 * R4  Every expression compiles; a condition gives a bool.
 * R5  Every `$(…)` that starts like a reference is one.
 * R6  Sizes, waits and resources are within bounds (`./limits.ts`).
 *
 * R1–R3 are also CEL rules in the CRD (`./crd-rules.ts`), for resources that are applied without lint.
 */
import { checkExpression, type CheckOptions } from '../transforms/expression/check.ts';
import type { KnownFields } from '../transforms/expression/fields.ts';
import { transformOf } from '../transforms/registry.ts';
import { findReferences } from '../model/credentials.ts';
import { mr } from '../model/errors.ts';
import { displayPath, invalid, type Issue, type IssuePath } from './issue.ts';
import { toJson } from '../model/json.ts';
import { absenceAfter, absenceAfterSources, absentIn } from './absent-fields.ts';
import { knownFields } from './known-fields.ts';
import { batchIssues, limitIssues } from './limits.ts';
import type { SinkSpec, SourceSpec, StepSpec } from './pipeline.ts';
import type { SpecParts } from './spec-parts.ts';
import { membersOf, sinkKinds, sourceKinds, stepKinds } from './unions.ts';

/** All issues in the parts of a spec that fit the schema. */
export function ruleIssues(spec: SpecParts): readonly Issue[] {
  return [
    ...spec.sources.flatMap((source, i) => (source ? sourceIssues(source, ['spec', 'sources', i]) : [])),
    ...spec.steps.flatMap((step, i) => (step ? oneMember(step, ['spec', 'steps', i], stepKinds) : [])),
    ...spec.sinks.flatMap((sink, i) => (sink ? sinkIssues(sink, ['spec', 'sinks', i], spec.buffer.shards) : [])),
    ...routeIssues(spec.sinks),
    ...expressionIssues(spec),
    ...limitIssues(spec),
  ];
}

function sourceIssues(source: SourceSpec, path: IssuePath): readonly Issue[] {
  const issues = [...oneMember(source, path, sourceKinds), ...referenceIssues(source, path, sourceKinds)];
  if (source.replicas > source.slots) {
    issues.push(invalid([...path, 'replicas'], `must be at most slots (${source.slots}), but is ${source.replicas}`));
  }
  return issues;
}

function sinkIssues(sink: SinkSpec, path: IssuePath, shards: number): readonly Issue[] {
  const issues = [
    ...oneMember(sink, path, sinkKinds),
    ...referenceIssues(sink, path, sinkKinds),
    ...batchIssues(sink, path),
  ];
  if (sink.tombstones === 'Delete' && (sink.postgres?.upsertKey.length ?? 0) === 0) {
    issues.push(invalid([...path, 'tombstones'], 'must not be Delete without postgres and its upsertKey'));
  }
  if (sink.replicas > shards) {
    issues.push(
      invalid([...path, 'replicas'], `must be at most spec.buffer.shards (${shards}), but is ${sink.replicas}`),
    );
  }
  return issues;
}

function oneMember(value: object, path: IssuePath, kinds: readonly string[]): readonly Issue[] {
  const given = membersOf(value, kinds);
  if (given.length === 1) return [];
  const error = mr('MR_SPEC_ONE_CONNECTOR', {
    path: displayPath(path),
    count: given.length,
    names: given.map(({ kind }) => kind).join(', ') || 'none',
    known: kinds.join(', '),
  });
  const last = given.at(-1);
  return [
    last === undefined
      ? { severity: 'error', path, error }
      : { severity: 'error', path: [...path, last.kind], error, isAboutKey: true },
  ];
}

function referenceIssues(value: object, path: IssuePath, kinds: readonly string[]): readonly Issue[] {
  return membersOf(value, kinds).flatMap(({ kind, config }) =>
    findReferences(toJson(config)).malformed.map((at) =>
      invalid([...path, kind, ...at], 'a reference must be $(secret:NAME/KEY) or $(configMap:NAME/KEY)'),
    ),
  );
}

function routeIssues(sinks: SpecParts['sinks']): readonly Issue[] {
  return sinks.flatMap((sink, i) => {
    const path: IssuePath = ['spec', 'sinks', i, 'otherwise'];
    if (sink?.otherwise !== true) return [];
    if (i < sinks.length - 1) return [invalid(path, 'must be on the last sink only')];
    if (sink.when !== undefined) return [invalid(path, 'must not stand together with `when`')];
    if (sinks.every((other) => other !== undefined && other.when === undefined)) {
      return [
        { ...invalid(path, 'has no effect, because no sink before it has `when`'), severity: 'warning' as const },
      ];
    }
    return [];
  });
}

function expressionIssues(spec: SpecParts): readonly Issue[] {
  const issues: Issue[] = [];
  let fields = knownFields(spec.sources);
  let absence = absenceAfterSources(spec.sources);
  spec.steps.forEach((step, i) => {
    if (step !== undefined) {
      issues.push(...stepExpressions(step, ['spec', 'steps', i], { fields, absent: absentIn(absence) }));
    }
    fields = step === undefined ? null : fieldsAfter(step, fields);
    absence = absenceAfter(step, absence);
  });
  const known = { fields, absent: absentIn(absence) };
  spec.sinks.forEach((sink, i) => {
    if (sink?.when !== undefined) issues.push(...expressionAt(['spec', 'sinks', i, 'when'], sink.when, true, known));
  });
  return issues;
}

/** What is known about the record at an expression. */
type Known = Pick<CheckOptions, 'fields' | 'absent'>;

function stepExpressions(step: StepSpec, path: IssuePath, known: Known): readonly Issue[] {
  const own = membersOf(step, stepKinds).flatMap(({ kind, config }) =>
    (transformOf(kind)?.expressions(config) ?? []).flatMap((found) =>
      expressionAt([...path, kind, ...found.path], found.source, found.isCondition, known),
    ),
  );
  return step.when === undefined ? own : [...own, ...expressionAt([...path, 'when'], step.when, true, known)];
}

/** After a step that only some records pass, a field is known only if it was known before. */
function fieldsAfter(step: StepSpec, fields: KnownFields): KnownFields {
  const [member] = membersOf(step, stepKinds);
  const after = member && transformOf(member.kind)?.fieldsAfter(member.config, fields);
  if (after === undefined || after === null || fields === null) return fields;
  if (step.when === undefined) return after;
  return new Map(
    [...fields, ...after].map(([name]) => [name, fields.get(name) === after.get(name) ? fields.get(name)! : 'dyn']),
  );
}

function expressionAt(path: IssuePath, source: string, isCondition: boolean, known: Known): readonly Issue[] {
  return checkExpression(source, { ...known, isCondition }).map((problem) => ({
    severity: problem.kind === 'unknownField' ? ('warning' as const) : ('error' as const),
    path,
    error: mr('MR_SPEC_EXPRESSION', {
      path: displayPath(path),
      problem: problem.message,
      hint: problem.suggestion === undefined ? 'Correct the expression.' : `Did you mean "${problem.suggestion}"?`,
    }),
    range: { start: problem.start, end: problem.end },
    ...(problem.suggestion === undefined ? {} : { suggestion: problem.suggestion }),
  }));
}
