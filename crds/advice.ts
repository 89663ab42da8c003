/** What is valid but probably not meant: warnings of lint. */
import { mr } from '../model/errors.ts';
import { displayPath, type Issue, type IssuePath } from './issue.ts';
import { memoryAdvice } from './memory-advice.ts';
import { toJson } from '../model/json.ts';
import { isSecretName, passwordInUrl } from './secrecy.ts';
import type { SpecParts } from './spec-parts.ts';
import { membersOf, sinkKinds, sourceKinds } from './unions.ts';
import type { Json } from '../model/value.ts';

export function adviceFor(spec: SpecParts): readonly Issue[] {
  return [
    ...spec.sources.flatMap((source, i) => (source ? plainSecrets(source, ['spec', 'sources', i], sourceKinds) : [])),
    ...spec.sinks.flatMap((sink, i) => (sink ? plainSecrets(sink, ['spec', 'sinks', i], sinkKinds) : [])),
    ...unrouted(spec),
    ...memoryAdvice(spec),
  ];
}

/** A password in the spec can be read by everyone who may read the resource. */
function plainSecrets(value: object, path: IssuePath, kinds: readonly string[]): readonly Issue[] {
  return membersOf(value, kinds).flatMap(({ kind, config }) =>
    textFields(toJson(config), [...path, kind]).flatMap(plain),
  );
}

function plain([path, text]: readonly [IssuePath, string]): readonly Issue[] {
  const isSecret = isSecretName(String(path.at(-1))) && !text.includes('$(');
  if (!isSecret && passwordInUrl(text) === undefined) return [];
  return [warning(path, 'is readable in the resource; put it into a Secret and write $(secret:NAME/KEY)')];
}

function textFields(value: Json, path: IssuePath): readonly (readonly [IssuePath, string])[] {
  if (typeof value === 'string') return [[path, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]: [string, Json]) => textFields(member, [...path, key]));
}

/** When every sink has `when`, records that match none go nowhere. */
function unrouted({ sinks }: SpecParts): readonly Issue[] {
  if (sinks.length === 0 || sinks.some((sink) => sink?.when === undefined || sink.otherwise)) return [];
  return [
    warning(
      ['spec', 'sinks'],
      'drops records for which no `when` is true; a last sink with `otherwise: true` takes them',
    ),
  ];
}

function warning(path: IssuePath, problem: string): Issue {
  return { severity: 'warning', path, error: mr('MR_SPEC_INVALID', { path: displayPath(path), problem }) };
}
