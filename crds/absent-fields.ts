/**
 * Which fields no record has at a place of a pipeline, whatever comes. What a schema does not name may be there all the same:
 * that is only odd. These two are known.
 *
 * A1  A generator makes exactly its fields. Where every source is one, a record has those of some of them, and what steps set.
 * A2  A step that all records take has removed a field, or moved it, and nothing has set it since.
 */
import { closest } from '../model/closest.ts';
import type { AbsentField } from '../transforms/expression/check.ts';
import type { SourceSpec, StepSpec } from './pipeline.ts';
import { transformOf } from '../transforms/registry.ts';
import { membersOf, stepKinds } from './unions.ts';

export interface Absence {
  /** A1. Null: a record may have any field. */
  readonly made: ReadonlySet<string> | null;
  /** A2. By field, the step that has removed it. */
  readonly removed: ReadonlyMap<string, string>;
}

export function absenceAfterSources(sources: readonly (SourceSpec | undefined)[]): Absence {
  const made = new Set<string>();
  for (const source of sources) {
    const fields = source?.generator?.fields;
    if (fields === undefined) return { made: null, removed: new Map() };
    for (const { name } of fields) made.add(name);
  }
  return { made: made.size === 0 ? null : made, removed: new Map() };
}

export function absenceAfter(step: StepSpec | undefined, { made, removed }: Absence): Absence {
  const [member] = step === undefined ? [] : membersOf(step, stepKinds);
  const changes = member && transformOf(member.kind)?.fieldChanges(member.config);
  if (step === undefined || changes === undefined) return { made: null, removed: new Map() };
  const now = new Map(removed);
  if (step.when === undefined) for (const field of changes.removes) now.set(field, step.name);
  for (const field of changes.sets) now.delete(field);
  return { made: made === null ? null : new Set([...made, ...changes.sets]), removed: now };
}

export function absentIn({ made, removed }: Absence): (field: string) => AbsentField | undefined {
  return (field) => {
    const step = removed.get(field);
    if (step !== undefined) return { why: `step "${step}" has taken it away` };
    if (made === null || made.has(field)) return undefined;
    return { why: 'no source makes it, and no step sets it', suggestion: closest(field, [...made]) };
  };
}
