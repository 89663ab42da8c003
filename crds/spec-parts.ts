/** The parts of a spec that fit the schema, so that lint can look at them when other parts do not. */
import { z } from 'zod';
import {
  sinkSpec,
  sourceSpec,
  specSchema,
  stepSpec,
  type SinkSpec,
  type SourceSpec,
  type StepSpec,
} from './pipeline.ts';

/** A part that does not fit is undefined and keeps its place. A whole spec is one of these, too. */
export interface SpecParts {
  readonly sources: readonly (SourceSpec | undefined)[];
  readonly steps: readonly (StepSpec | undefined)[];
  readonly sinks: readonly (SinkSpec | undefined)[];
  readonly buffer: { readonly shards: number };
}

const { buffer } = specSchema.shape;
const list = z.array(z.unknown());
const loose = z.object({
  spec: z.object({
    sources: list.catch([]),
    steps: list.catch([]),
    sinks: list.catch([]),
    buffer: z.unknown().optional(),
  }),
});

/** undefined when there is no spec at all. */
export function partsOf(value: unknown): SpecParts | undefined {
  const found = loose.safeParse(value);
  if (!found.success) return undefined;
  const { sources, steps, sinks } = found.data.spec;
  const buffered = buffer.safeParse(found.data.spec.buffer);
  return {
    sources: sources.map((item) => sourceSpec.safeParse(item).data),
    steps: steps.map((item) => stepSpec.safeParse(item).data),
    sinks: sinks.map((item) => sinkSpec.safeParse(item).data),
    buffer: buffered.success ? buffered.data : { shards: Number.MAX_SAFE_INTEGER },
  };
}
