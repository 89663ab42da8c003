/**
 * `map`: changes fields of a record.
 *
 * M1  Every expression sees the record as it entered the step, whatever the other expressions set.
 * M2  Then, in this order: `rename` moves fields, `set` writes the results of the expressions, `remove` deletes fields.
 * M3  When an expression fails, the record is unchanged and becomes a dead letter.
 *
 * A name with dots is a path: `customer.city` is field `city` of the object `customer`. What is renamed or removed may
 * be absent; what is set is made.
 */
import { z } from 'zod';
import { expressionField } from '../schema/fields.ts';
import type { RecordValue } from '../model/value.ts';
import { compileExpression } from './expression/expression.ts';
import type { KnownFields } from './expression/fields.ts';
import { parsePath, put, take } from './path.ts';
import { defineTransform, type FieldChanges } from './transform.ts';

const fieldPath = (description: string) =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^[^.]+(\.[^.]+)*$/)
    .describe(description);

const mapSpec = z
  .strictObject({
    set: z
      .record(fieldPath('Field, with dots for fields of fields.'), expressionField('What the field becomes.'))
      .meta({ maxProperties: 256 })
      .describe('Fields to write. Every expression sees the record as it came into the step.')
      .default({}),
    rename: z
      .record(fieldPath('Field to move.'), fieldPath('Its new name.'))
      .meta({ maxProperties: 256 })
      .describe('Fields to move, old name to new name. Done before `set`.')
      .default({}),
    remove: z
      .array(fieldPath('Field to take away, with dots for fields of fields.'))
      .max(256)
      .describe('Fields to take away. Done after `set`.')
      .default([]),
  })
  .describe('Sets, renames and removes fields.');

export const map = defineTransform({
  spec: mapSpec,
  expressions: ({ set }) =>
    Object.entries(set).map(([field, source]) => ({ path: ['set', field], source, isCondition: false })),
  fieldsAfter: ({ set, rename, remove }, fields) => fieldsAfter(set, rename, remove, fields),
  fieldChanges: ({ set, rename, remove }) => fieldChanges(set, rename, remove),
  touches: ({ set, rename, remove }) =>
    [...Object.keys(set), ...Object.entries(rename).flat(), ...remove].map((path) => topOf(path)),
  compile({ set, rename, remove }, step) {
    const setters = Object.entries(set).map(([field, source]) => ({
      path: parsePath(field),
      evaluate: compileExpression(source, `step "${step}", set ${field}`, step),
    }));
    const renames = Object.entries(rename).map(([from, to]) => ({ from: parsePath(from), to: parsePath(to) }));
    const removals = remove.map((field) => parsePath(field));
    // One list for all records: `evaluate` never comes back here, and every entry is written before it is read.
    const results: RecordValue[] = new Array<RecordValue>(setters.length).fill(null);
    return (value, meta, nowMs) => {
      for (let i = 0; i < setters.length; i++) results[i] = setters[i]!.evaluate(value, meta, nowMs);
      for (let i = 0; i < renames.length; i++) {
        const { from, to } = renames[i]!;
        const moved = take(value, from);
        if (moved !== undefined) put(value, to, moved);
      }
      for (let i = 0; i < setters.length; i++) put(value, setters[i]!.path, results[i]!);
      for (let i = 0; i < removals.length; i++) take(value, removals[i]!);
      return 'keep';
    };
  },
});

function fieldsAfter(
  set: Readonly<Record<string, string>>,
  rename: Readonly<Record<string, string>>,
  remove: readonly string[],
  fields: KnownFields,
): KnownFields {
  if (fields === null) return null;
  const after = new Map(fields);
  for (const [from, to] of Object.entries(rename)) {
    const type = after.get(from);
    after.delete(from);
    after.set(topOf(to), to.includes('.') ? 'dyn' : (type ?? 'dyn'));
  }
  for (const field of Object.keys(set)) after.set(topOf(field), 'dyn');
  for (const field of remove) after.delete(field);
  return after;
}

/** M2. A path with dots leaves the field at its top where it is. */
function fieldChanges(
  set: Readonly<Record<string, string>>,
  rename: Readonly<Record<string, string>>,
  remove: readonly string[],
): FieldChanges {
  const written = new Set([...Object.values(rename), ...Object.keys(set)].map((path) => topOf(path)));
  const moved = Object.keys(rename).filter((from) => !from.includes('.') && !written.has(from));
  const removed = remove.filter((path) => !path.includes('.'));
  return { removes: [...moved, ...removed], sets: [...written].filter((field) => !removed.includes(field)) };
}

function topOf(path: string): string {
  return parsePath(path)[0];
}
