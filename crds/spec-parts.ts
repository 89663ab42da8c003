/** The parts of a spec that fit the schema, so that lint can check them when other parts do not. */
import { z } from 'zod';
import {
  sinkSpec,
  sourceSpec,
  specSchema,
  stepSpec,
  type PipelineSpec,
  type SinkSpec,
  type SourceSpec,
  type StepSpec,
} from './pipeline.ts';

/** A part that does not fit is undefined and keeps its place. A whole spec has this form, too. */
export interface SpecParts {
  readonly sources: readonly (SourceSpec | undefined)[];
  readonly steps: readonly (StepSpec | undefined)[];
  readonly sinks: readonly (SinkSpec | undefined)[];
  readonly buffer: PipelineSpec['buffer'];
  readonly frame: PipelineSpec['frame'];
  readonly resources: PipelineSpec['resources'];
}

const { buffer, frame, resources } = specSchema.shape;
/** So large that no rule about buffers complains when the buffer itself is wrong. */
const unbounded = { shards: Number.MAX_SAFE_INTEGER, maxBytes: '1024Ti' };
/** No list may have as many; what is behind is not looked at. */
const mostItems = 256;
const list = z.array(z.unknown()).transform((items) => items.slice(0, mostItems));
const loose = z.object({
  spec: z.object({
    sources: list.catch([]),
    steps: list.catch([]),
    sinks: list.catch([]),
    buffer: buffer.catch(unbounded),
    frame: frame.catch(frame.parse(undefined)),
    resources: resources.catch(resources.parse(undefined)),
  }),
});

/** undefined when there is no spec at all. */
export function partsOf(value: unknown): SpecParts | undefined {
  const found = loose.safeParse(value);
  if (!found.success) return undefined;
  const { sources, steps, sinks, ...rest } = found.data.spec;
  return {
    sources: sources.map((item) => sourceSpec.safeParse(item).data),
    steps: steps.map((item) => stepSpec.safeParse(item).data),
    sinks: sinks.map((item) => sinkSpec.safeParse(item).data),
    ...rest,
  };
}
