/** The JetStream side of a pipeline: its streams, whether they are drained, and their end. */
import { mr } from '../../model/errors.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { LifecycleActivities, PipelineRef, PlanRef } from '../../model/lifecycle.ts';
import {
  deletePipelineStreams,
  ensureSharedStreams,
  forgetLeasesAndReports,
  isDrained,
  makePipelineStreams,
  pipelineStreamsExist,
  type Backlog,
} from '../../stream/streams.ts';
import { registerPlan, type Act } from '../../stream/members.ts';
import { readPlanInForce } from '../../stream/plan-store.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { liveStages } from '../kubernetes/stages.ts';
import { latestPlan, planBefore, readPlan } from '../kubernetes/stored-plan.ts';
import { assertMayTakeDown, findResource } from '../proof.ts';
import { wishesOf } from '../spec.ts';
import { asStep, waitFor } from '../step.ts';

type StreamActivities = Pick<LifecycleActivities, 'ensureStreams' | 'waitDrained' | 'deleteStreams' | 'forgetLeases'>;

export function streamActivities(deps: ActivityDependencies): StreamActivities {
  const { kube } = deps;
  return {
    ensureStreams: asStep(deps, async (input) => {
      const plan = await readPlan(kube, input);
      const streams = deps.streams();
      await ensureSharedStreams(streams, { replicas: deps.streamReplicas });
      const isNew = !(await pipelineStreamsExist(streams, plan));
      await makePipelineStreams(streams, plan, { replicas: deps.streamReplicas });
      const isAdopted = !isNew && (await readPlanInForce(streams, plan.pipeline.pid)) === undefined;
      const before = isAdopted ? await planBefore(kube, input, plan) : undefined;
      await registerPlan(actOf(deps, input), plan, before);
    }),

    /**
     * Level-triggered twice over: it looks at positions, and at the resource's deletion policy, so that a person who
     * cannot repair the sink can give the records up while it waits.
     */
    waitDrained: asStep(deps, async (input) => {
      const plan = await latestPlan(kube, input);
      if (plan === undefined) return { drained: true };
      return waitFor<{ drained: boolean }>(deps, input, async () => {
        if (input.until === 'drainedOrImmediate' && !(await isDrainWanted(kube, input.op.pipeline))) {
          return { is: 'done', value: { drained: false } };
        }
        // A sink that was never deployed has no say, and cannot be waited for.
        const live = new Set((await liveStages(kube, input)).map(({ name }) => name));
        const streams = deps.streams();
        if (!(await pipelineStreamsExist(streams, plan))) return { is: 'done', value: { drained: true } };
        const { drained, behind } = await isDrained(streams, plan, { stage: (name) => live.has(name) });
        if (drained) return { is: 'done', value: { drained } };
        return {
          is: 'waiting',
          progress: { behind: behindText(behind) },
          problem: mr('MR_NOT_DRAINED', { behind: behindText(behind) }),
        };
      });
    }),

    deleteStreams: asStep(deps, async ({ op, pid }) => {
      await assertMayTakeDown(kube, op.pipeline);
      await deletePipelineStreams(deps.streams(), pid);
    }),

    forgetLeases: asStep(deps, async ({ op, pid }) => {
      await assertMayTakeDown(kube, op.pipeline);
      await forgetLeasesAndReports(deps.streams(), pid);
    }),
  };
}

/** What acts on streams need to know of the operation. */
export function actOf(deps: ActivityDependencies, { op }: PlanRef): Act {
  return { streams: deps.streams(), opSeq: op.seq, clock: deps.clock };
}

/** Of a resource that is gone nobody could say that the records may be given up. */
async function isDrainWanted(kube: Kube, pipeline: PipelineRef): Promise<boolean> {
  const resource = await findResource(kube, pipeline);
  if (resource === undefined) return false;
  const { deletionPolicy = 'Drain' } = wishesOf(resource);
  return deletionPolicy === 'Drain';
}

/** `sink-warehouse slot 0 is 12 frames behind`. */
export function behindText(behind: readonly Backlog[]): string {
  return behind.map(({ stage, slot, frames }) => `${stage} slot ${slot} is ${frames} frames behind`).join(', ');
}
