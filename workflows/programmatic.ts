/**
 * The programmatic door: start these from any Temporal SDK on the task queue `pipelines`.
 *
 * They write the resource, as every other entry point does, and wait for its status; the pipeline's entity does the
 * work. So a pipeline that was applied here can be edited with kubectl and deleted by the API. The caller's time-outs
 * limit the wait; ending one of these workflows ends the wait, not the pipeline.
 */
import { patched, upsertSearchAttributes } from '@temporalio/workflow';
import type { AppliedPipeline, ApplyPipelineInput, PipelineRef } from '../model/lifecycle.ts';
import { run } from './activities.ts';
import { checkNamesPipeline } from './checked-name.ts';
import { nameAttributesOf } from './search-attributes.ts';
import { goesOn } from './versioning.ts';

/** Applies the spec and completes when the pipeline is Ready; fails when the spec is refused. */
export async function applyPipeline(input: ApplyPipelineInput): Promise<AppliedPipeline> {
  checkNamesPipeline('applyPipeline', input, ['spec']);
  showIn(input);
  const name = `${input.namespace}/${input.name}`;
  const written = await run('writePipeline', `write the resource ${name}`, input);
  return run('waitPipelineReady', `wait until ${name} is ready (g${written.generation})`, written);
}

/** Deletes the pipeline and completes when it is gone; at once if it does not exist. */
export async function deletePipeline(input: { readonly namespace: string; readonly name: string }): Promise<void> {
  checkNamesPipeline('deletePipeline', input);
  showIn(input);
  const name = `${input.namespace}/${input.name}`;
  const pipeline = await run('removePipeline', `delete the resource ${name}`, input);
  if (pipeline !== null) await run('waitPipelineGone', `wait until ${name} is gone`, pipeline);
}

/** Sets the search attributes that every workflow of the pipeline has. Runs that started under v0.1 have none. */
function showIn(pipeline: Pick<PipelineRef, 'namespace' | 'name'>): void {
  if (patched('search-attributes')) upsertSearchAttributes(nameAttributesOf(pipeline));
}

goesOn('AUTO_UPGRADE', applyPipeline, deletePipeline);
