/**
 * What a transform is: a schema for its part of the spec, and a compiler from that part to a function on one record.
 * `./registry.ts` lists all of them; nothing else knows a transform by name.
 */
import type { z } from 'zod';
import type { RecordMeta, RecordObject } from '../model/value.ts';
import type { KnownFields } from './expression/fields.ts';

export type Verdict = 'keep' | 'drop';

/**
 * One step on one record. It may change `value` in place, but only when it returns: a step that throws leaves the value
 * as it was. `drop` ends the record's way. Throws MillraceError MR_RECORD_EXPRESSION.
 */
export type StepProgram = (value: RecordObject, meta: RecordMeta, nowMs: number) => Verdict;

/** An expression in a step's spec. */
export interface ExpressionAt {
  /** Where in the spec, as the keys that lead to it. */
  readonly path: readonly string[];
  readonly source: string;
  /** True: it must give a bool. */
  readonly isCondition: boolean;
}

export interface FieldChanges {
  readonly removes: readonly string[];
  readonly sets: readonly string[];
}

interface Definition<Schema extends z.ZodType> {
  readonly spec: Schema;
  expressions(config: z.output<Schema>): readonly ExpressionAt[];
  /** What is known about the record after the step, given what was known before. */
  fieldsAfter(config: z.output<Schema>, fields: KnownFields): KnownFields;
  /** For every record: fields that it cannot have, and fields that it may have, after the step. */
  fieldChanges(config: z.output<Schema>): FieldChanges;
  /** Fields of the record that the step itself reads or changes; those of its expressions need not be among them. */
  touches(config: z.output<Schema>): readonly string[];
  /** `step` is the step's name, for messages. Throws MillraceError MR_SPEC_EXPRESSION or MR_SPEC_INVALID. */
  compile(config: z.output<Schema>, step: string): StepProgram;
}

/** A transform whose configuration may come from anywhere: it is parsed with the schema first. */
export interface Transform<Schema extends z.ZodType = z.ZodType> {
  readonly spec: Schema;
  expressions(config: unknown): readonly ExpressionAt[];
  fieldsAfter(config: unknown, fields: KnownFields): KnownFields;
  fieldChanges(config: unknown): FieldChanges;
  touches(config: unknown): readonly string[];
  compile(config: unknown, step: string): StepProgram;
}

export function defineTransform<Schema extends z.ZodType>(definition: Definition<Schema>): Transform<Schema> {
  const { spec } = definition;
  return {
    spec,
    expressions: (config) => definition.expressions(spec.parse(config)),
    fieldsAfter: (config, fields) => definition.fieldsAfter(spec.parse(config), fields),
    fieldChanges: (config) => definition.fieldChanges(spec.parse(config)),
    touches: (config) => definition.touches(spec.parse(config)),
    compile: (config, step) => definition.compile(spec.parse(config), step),
  };
}
