/** Typed search attributes of all Millrace workflows; the lifecycle worker registers them before it starts. */
import { defineSearchAttributeKey, SearchAttributeType, type SearchAttributePair } from '@temporalio/common';
import type { PipelineRef } from '../model/lifecycle.ts';
import { newestRead, type PipelineState } from './state.ts';

export const pipelineName = defineSearchAttributeKey('PipelineName', SearchAttributeType.KEYWORD);
const pipelineNamespace = defineSearchAttributeKey('PipelineNamespace', SearchAttributeType.KEYWORD);
export const pipelinePhase = defineSearchAttributeKey('PipelinePhase', SearchAttributeType.KEYWORD);
/** The phase, or why the pipeline is not ready: as in the column STATE of `kubectl get`, but only what has lasted. */
export const pipelineState = defineSearchAttributeKey('PipelineState', SearchAttributeType.KEYWORD);
const pipelineKinds = defineSearchAttributeKey('PipelineKinds', SearchAttributeType.KEYWORD_LIST);
const pipelineGeneration = defineSearchAttributeKey('PipelineGeneration', SearchAttributeType.INT);

export const searchAttributes = [
  pipelineName,
  pipelineNamespace,
  pipelinePhase,
  pipelineState,
  pipelineKinds,
  pipelineGeneration,
] as const;

export function searchAttributesOf(state: PipelineState, phase: string, shown = phase): SearchAttributePair[] {
  const { pipeline, seen, wanted } = state;
  return [
    ...nameAttributesOf(pipeline),
    { key: pipelinePhase, value: phase },
    { key: pipelineState, value: shown },
    { key: pipelineKinds, value: [...(seen?.kinds ?? [])] },
    { key: pipelineGeneration, value: newestRead(state)?.generation ?? wanted.generation },
  ];
}

/** The attributes that every workflow of a pipeline has. */
export function nameAttributesOf({ namespace, name }: Pick<PipelineRef, 'namespace' | 'name'>): SearchAttributePair[] {
  return [
    { key: pipelineName, value: name },
    { key: pipelineNamespace, value: namespace },
  ];
}
