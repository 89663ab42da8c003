/** Typed search attributes of all Millrace workflows; the lifecycle worker registers them before it starts. */
import { defineSearchAttributeKey, SearchAttributeType, type SearchAttributePair } from '@temporalio/common';
import type { PipelineState } from './state.ts';

export const pipelineName = defineSearchAttributeKey('PipelineName', SearchAttributeType.KEYWORD);
export const pipelineNamespace = defineSearchAttributeKey('PipelineNamespace', SearchAttributeType.KEYWORD);
export const pipelinePhase = defineSearchAttributeKey('PipelinePhase', SearchAttributeType.KEYWORD);
export const pipelineKinds = defineSearchAttributeKey('PipelineKinds', SearchAttributeType.KEYWORD_LIST);
export const pipelineGeneration = defineSearchAttributeKey('PipelineGeneration', SearchAttributeType.INT);

export const searchAttributes = [
  pipelineName,
  pipelineNamespace,
  pipelinePhase,
  pipelineKinds,
  pipelineGeneration,
] as const;

export function searchAttributesOf({ pipeline, seen }: PipelineState, phase: string): SearchAttributePair[] {
  return [
    { key: pipelineName, value: pipeline.name },
    { key: pipelineNamespace, value: pipeline.namespace },
    { key: pipelinePhase, value: phase },
    { key: pipelineKinds, value: [...(seen?.kinds ?? [])] },
    { key: pipelineGeneration, value: seen?.generation ?? 0 },
  ];
}
