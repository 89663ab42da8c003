/**
 * The resource itself, for workflows that start pipelines: they write it like any other client, and wait for its
 * status.
 *
 * D5  Starting by Temporal equals starting by the API: linted first, under the same manager, with labels and
 *     annotations, and a field that another tool owns is never taken over (`kubernetes/pipelines.ts`, D1–D4). A
 *     refusal ends the workflow.
 */
import { z } from 'zod';
import { firstError } from '../crds/lint.ts';
import type { PipelineInput } from '../crds/pipeline.ts';
import { heldText } from '../kubernetes/held.ts';
import { withDefaults } from '../crds/defaults.ts';
import { pipelineDoor } from '../kubernetes/pipelines.ts';
import { mr } from '../model/errors.ts';
import type { ApplyPipelineInput, LifecycleActivities, PipelineRef } from '../model/lifecycle.ts';
import { apiVersion, fieldManagers, kind } from '../model/names.ts';
import type { PipelineStatus } from '../model/status.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { statusOf } from './status/read.ts';
import { isCancellation, StillWaiting, toFailure } from './failures.ts';
import { findResource, readResource } from './proof.ts';
import { follow, type Follower } from './wait.ts';

type ResourceActivities = Pick<
  LifecycleActivities,
  'writePipeline' | 'waitPipelineReady' | 'removePipeline' | 'waitPipelineGone'
>;

export function resourceActivities(deps: ActivityDependencies): ResourceActivities {
  const { kube, cluster } = deps;
  const door = pipelineDoor(kube, fieldManagers.api, withDefaults);
  const read = ({ namespace, name }: { namespace: string; name: string }) => kube.get(kind, name, namespace);

  return {
    writePipeline: typed(async (input) => {
      const { namespace, name } = input;
      const written = await door.apply(linted(input));
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
        await pause(follower, heldText(resource) ?? 'wait until the pipeline is gone', statusOf(resource));
      }
    }),
  };
}

/** Throws the first error of lint, in the same words as everywhere else. */
function linted({ namespace, name, spec, labels, annotations }: ApplyPipelineInput): PipelineInput {
  const metadata = {
    ...{ name, namespace },
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  const pipeline = { apiVersion, kind, metadata, spec };
  const error = firstError(pipeline);
  if (error !== undefined) throw error;
  return checked.parse(pipeline);
}

/** Lint has checked it: this only informs the compiler. */
const checked = z.custom<PipelineInput>((value) => typeof value === 'object' && value !== null);

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
