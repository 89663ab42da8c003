/** A spec as Kubernetes stores it: what is not named has its default. Undefined: it is not a valid spec. */
import { specSchema, type PipelineInput, type PipelineSpec } from './pipeline.ts';

export function withDefaults(spec: PipelineInput['spec']): PipelineSpec | undefined {
  const parsed = specSchema.safeParse(spec);
  return parsed.success ? parsed.data : undefined;
}
