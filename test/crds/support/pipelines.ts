/** Pipelines for tests: the smallest valid one, and what a test changes in it. */
import { apiVersion, kind } from '../../../model/names.ts';
import { pipelineSchema, type Pipeline, type PipelineInput } from '../../../crds/pipeline.ts';

type SpecInput = PipelineInput['spec'];

export const smallSpec: SpecInput = {
  sources: [{ name: 'orders', kafka: { brokers: ['kafka:9092'], topic: 'orders' } }],
  sinks: [{ name: 'warehouse', clickhouse: { url: 'http://ch:8123', table: 'orders' } }],
};

export function pipelineInput(spec: Partial<SpecInput> = {}, name = 'orders'): PipelineInput {
  return { apiVersion, kind, metadata: { name, namespace: 'shop' }, spec: { ...smallSpec, ...spec } };
}

/** A pipeline as Kubernetes returns it. */
export function storedPipeline(spec: Partial<SpecInput> = {}, name = 'orders'): Pipeline {
  const input = pipelineInput(spec, name);
  return pipelineSchema.parse({
    ...input,
    metadata: { ...input.metadata, uid: '0b9d7f3e-0000-4000-8000-000000000001', generation: 3 },
  });
}
