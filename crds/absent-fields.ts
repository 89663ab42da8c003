/**
 * Which fields no record can have at a given step of a pipeline. A field that a schema does not name may still be
 * present, so reading it is only suspicious. These two cases are certain.
 *
 * A1  A generator creates exactly its fields. If every source is a generator, a record has fields of some of them, and
 *     those that steps set.
 * A2  A step that all records pass has removed or moved a field, and no later step has set it.
 */
import { closest } from '../model/closest.ts';
import type { AbsentField } from '../transforms/expression/check.ts';
import type { SourceSpec, StepSpec } from './pipeline.ts';
import { transformOf } from '../transforms/registry.ts';
import { membersOf, stepKinds } from './unions.ts';

export interface Absence {
  /** A1. Null: a record may have any field. */
  readonly made: ReadonlySet<string> | null;
  /** A2. For each field, the step that has removed it. */
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
