/**
 * The resource itself, for workflows that start pipelines: they write it like everybody else, and wait for what it says.
 */
import { mr } from '../model/errors.ts';
import type { LifecycleActivities, PipelineRef } from '../model/lifecycle.ts';
import { apiVersion, fieldManagers, kind } from '../model/names.ts';
import { statusSchema } from '../crds/status.ts';
import type { PipelineStatus } from '../model/status.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { isCancellation, StillWaiting, toFailure } from './failures.ts';
import { findResource, readResource } from './proof.ts';
import { follow, type Follower } from './wait.ts';
import type { KubeObject } from '../kubernetes/objects.ts';

type ResourceActivities = Pick<
  LifecycleActivities,
  'writePipeline' | 'waitPipelineReady' | 'removePipeline' | 'waitPipelineGone'
>;

export function resourceActivities(deps: ActivityDependencies): ResourceActivities {
  const { kube, cluster } = deps;
  const read = ({ namespace, name }: { namespace: string; name: string }) => kube.get(kind, name, namespace);

  return {
    writePipeline: typed(async ({ namespace, name, spec, labels }) => {
      const metadata = { name, namespace, ...(labels === undefined ? {} : { labels }) };
      const written = await kube.apply(
        { apiVersion, kind, metadata, spec },
        { fieldManager: fieldManagers.api, force: true },
      );
      const { uid = '', generation = 0 } = written.metadata;
      return { pipeline: { namespace, name, uid, cluster }, generation };
    }),

    waitPipelineReady: typed(async (input) => {
      const { pipeline, generation } = input;
      const follower = follow(deps);
      for (;;) {
        const resource = await readResource(kube, { ...pipeline, cluster: pipeline.cluster ?? cluster });
        const status = statusOf(resource);
        refuseIfStalled(status, generation);
        if (isReady(status, generation)) return { ...input, status };
        await pause(follower, 'wait until the pipeline is ready', status);
      }
    }),

    removePipeline: typed(async ({ namespace, name }) => {
      const resource = await read({ namespace, name });
      if (resource === undefined) return null;
      const { uid = '' } = resource.metadata;
      await kube.delete(kind, name, namespace, { uid });
      return { namespace, name, uid, cluster };
    }),

    waitPipelineGone: typed(async (pipeline: PipelineRef) => {
      const follower = follow(deps);
      for (;;) {
        const resource = await findResource(kube, { ...pipeline, cluster: pipeline.cluster ?? cluster });
        if (resource === undefined) return;
        await pause(follower, 'wait until the pipeline is gone', statusOf(resource));
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
  follower: Follower,
  step: string,
  { phase = 'Pending', operation }: PipelineStatus,
): Promise<void> {
  const progress = operation === undefined ? phase : `${phase}, ${operation.step}`;
  if (!(await follower.goOn(progress))) throw new StillWaiting(mr('MR_STEP_WAITS', { step, progress }));
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
