/** What expressions may assume about records, from the schemas of the sources. */
import type { KnownFields } from '../transforms/expression/fields.ts';
import { assertNever } from '../model/errors.ts';
import type { SourceSpec } from './pipeline.ts';
import type { FieldShape } from '../model/plan.ts';

/** Known when every source has a schema; a field has a type when all sources that have it agree. */
export function knownFields(sources: readonly (SourceSpec | undefined)[]): KnownFields {
  const known = new Map<string, string>();
  for (const source of sources) {
    const schema = source?.schema;
    if (schema === undefined) return null;
    for (const field of schema) {
      const type = celType(field);
      const before = known.get(field.name);
      known.set(field.name, before === undefined || before === type ? type : 'dyn');
    }
  }
  for (const name of known.keys()) {
    if (!sources.every((source) => source?.schema?.some((field) => field.name === name))) known.set(name, 'dyn');
  }
  return known;
}

/** A field that may be absent, null or of two types is dyn: only what is sure is checked. */
function celType({ type, optional }: FieldShape): string {
  if (optional) return 'dyn';
  switch (type) {
    case 'string':
      return 'string';
    case 'bool':
      return 'bool';
    case 'int64':
    case 'uint64':
    case 'float64':
      return 'double';
    case 'object':
      return 'map<string, dyn>';
    case 'array':
      return 'list<dyn>';
    case 'decimal':
    case 'timestamp':
    case 'any':
      return 'dyn';
    default:
      return assertNever(type);
  }
}
