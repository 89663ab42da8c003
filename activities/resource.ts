/**
 * The resource itself, for workflows that start pipelines: they write it like everybody else, and wait for what it says.
 */
import { Context } from '@temporalio/activity';
import { mr } from '../model/errors.ts';
import type { LifecycleActivities, PipelineRef } from '../model/lifecycle.ts';
import { apiVersion, fieldManagers, kind } from '../model/names.ts';
import { statusSchema } from '../crds/status.ts';
import type { PipelineStatus } from '../model/status.ts';
import { beatWith } from './beat.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { isCancellation, toFailure } from './failures.ts';
import type { KubeObject } from '../kubernetes/objects.ts';

type ResourceActivities = Pick<
  LifecycleActivities,
  'writePipeline' | 'waitPipelineReady' | 'removePipeline' | 'waitPipelineGone'
>;

export function resourceActivities(deps: ActivityDependencies): ResourceActivities {
  const { kube } = deps;
  const read = ({ namespace, name }: { namespace: string; name: string }) => kube.get(kind, name, namespace);

  return {
    writePipeline: typed(async ({ namespace, name, spec, labels }) => {
      const metadata = { name, namespace, ...(labels === undefined ? {} : { labels }) };
      const written = await kube.apply(
        { apiVersion, kind, metadata, spec },
        { fieldManager: fieldManagers.api, force: true },
      );
      const { uid = '', generation = 0 } = written.metadata;
      return { pipeline: { namespace, name, uid }, generation };
    }),

    waitPipelineReady: typed(async (input) => {
      const { pipeline, generation } = input;
      for (;;) {
        const resource = await read(pipeline);
        if (resource?.metadata.uid !== pipeline.uid) throw mr('MR_PIPELINE_REPLACED', { ...pipeline });
        const status = statusOf(resource);
        refuseIfStalled(status, generation);
        if (isReady(status, generation)) return { ...input, status };
        await pause(deps, { phase: status.phase ?? 'Pending', step: status.operation?.step ?? null });
      }
    }),

    removePipeline: typed(async ({ namespace, name }) => {
      const resource = await read({ namespace, name });
      if (resource === undefined) return null;
      const { uid = '' } = resource.metadata;
      await kube.delete(kind, name, namespace, { uid });
      return { namespace, name, uid };
    }),

    waitPipelineGone: typed(async (pipeline: PipelineRef) => {
      for (;;) {
        const resource = await read(pipeline);
        if (resource?.metadata.uid !== pipeline.uid) return;
        const { phase, operation } = statusOf(resource);
        await pause(deps, { phase: phase ?? 'Deleting', step: operation?.step ?? null });
      }
    }),
  };
}

function typed<I, R>(run: (input: I) => Promise<R>): (input: I) => Promise<R> {
  return async (input) => {
    try {
      return await run(input);
    } catch (error) {
      throw isCancellation(error) ? error : toFailure(error);
    }
  };
}

async function pause(
  { clock, pollMs }: ActivityDependencies,
  progress: { phase: string; step: string | null },
): Promise<void> {
  beatWith(progress);
  await clock.sleep(pollMs, Context.current().cancellationSignal);
}

function statusOf(resource: KubeObject): PipelineStatus {
  const parsed = statusSchema.safeParse(resource['status'] ?? {});
  return parsed.success ? parsed.data : {};
}

function isReady(status: PipelineStatus, generation: number): boolean {
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  const isFor = (ready?.observedGeneration ?? 0) >= generation && (status.observedGeneration ?? 0) >= generation;
  return isFor && ready?.status === 'True';
}

/** A spec that was refused, or an operation that failed, does not become ready by waiting. */
function refuseIfStalled(status: PipelineStatus, generation: number): void {
  const stalled = status.conditions?.find(({ type }) => type === 'Stalled');
  if (stalled?.status !== 'True' || (stalled.observedGeneration ?? 0) < generation) return;
  throw mr('MR_PIPELINE_STALLED', { reason: stalled.reason, problem: stalled.message });
}
