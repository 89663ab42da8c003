/** The JetStream side of a pipeline: its streams, whether they are drained, and their deletion. */
import type { Kube } from '../../kubernetes/kube.ts';
import type { LifecycleActivities, PipelineRef, PlanRef } from '../../model/lifecycle.ts';
import { annotations } from '../../model/names.ts';
import type { StreamStatus } from '../../model/status.ts';
import { isDrained, type Backlog } from '../../stream/drained.ts';
import {
  deletePipelineStreams,
  ensureSharedStreams,
  forgetLeasesAndReports,
  makePipelineStreams,
  pipelineStreamsExist,
} from '../../stream/streams.ts';
import { lostOf, streamsFound } from '../../stream/carry-out.ts';
import type { Act } from '../../stream/act.ts';
import { registerPlan } from '../../stream/members.ts';
import { passOverAll } from '../../stream/pass-over.ts';
import { readPlanInForce } from '../../stream/plan-store.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { ownerLabels } from '../kubernetes/render/context.ts';
import { liveStages } from '../kubernetes/stages.ts';
import { latestPlan, planBefore, readPlan } from '../kubernetes/stored-plan.ts';
import { assertMayTakeDown, findResource, isBeingDeleted } from '../proof.ts';
import { givenUpBy, wishesOf } from '../spec.ts';
import { ownStatus } from '../status/merge.ts';
import { updateStatus } from '../status/write.ts';
import { asStep, waitFor } from '../step.ts';
import { allOf } from './known-streams.ts';
import { notDrained } from './not-drained.ts';
import { askedBy } from './open-questions.ts';

type StreamActivities = Pick<LifecycleActivities, 'ensureStreams' | 'waitDrained' | 'deleteStreams' | 'forgetLeases'>;

export function streamActivities(deps: ActivityDependencies): StreamActivities {
  const { kube } = deps;
  return {
    ensureStreams: asStep(deps, async (input) => {
      const plan = await readPlan(kube, input);
      const streams = deps.streams();
      await ensureSharedStreams(streams, { replicas: deps.streamReplicas });
      const known = await knownStreams(kube, input.op.pipeline);
      const lost = lostOf(plan, known, await streamsFound(streams, plan));
      if (lost !== undefined) throw lost;
      const adopts = await isOfEarlierVersion(kube, input);
      const isNew = !(await pipelineStreamsExist(streams, plan, { adopts }));
      await makePipelineStreams(streams, plan, { replicas: deps.streamReplicas, cluster: deps.cluster, adopts });
      // Also after an interruption, and in the next operation: as long as pods of v0.1 may run, they must be
      // considered.
      const isAdopted = !isNew && (adopts || (await readPlanInForce(streams, plan.pipeline.pid)) === undefined);
      const before = isAdopted ? await planBefore(kube, input, plan) : undefined;
      await registerPlan(actOf(deps, input), plan, { before });
      await noteStreams(deps, input, allOf(plan, await streamsFound(streams, plan)));
    }),

    /**
     * Level-triggered in two ways: it checks positions, and the resource, so that a person who cannot repair the sink
     * can give the records up while it waits: a deletion with its policy, a stop by taking the sink off with Immediate.
     */
    waitDrained: asStep(deps, async (input) => {
      const plan = await latestPlan(kube, input);
      if (plan === undefined) return { drained: true };
      const adopts = await isOfEarlierVersion(kube, input);
      return waitFor<{ drained: boolean }>(deps, input, async () => {
        if (input.until === 'drainedOrImmediate' && !(await isDrainWanted(kube, input.op.pipeline))) {
          return { is: 'done', value: { drained: false } };
        }
        // A sink that was never deployed holds no position, and cannot be waited for.
        const sinks = (await liveStages(kube, input)).filter(({ kind }) => kind === 'sink');
        const isGivenUp = input.op.kind === 'stop' ? await givenUp(deps, input.op.pipeline) : () => false;
        const live = new Set(sinks.map(({ name }) => name).filter((name) => !isGivenUp(name)));
        const streams = deps.streams();
        // A missing stream can never be drained: a person decides, or gives the records up with Immediate.
        const lost = lostOf(plan, await knownStreams(kube, input.op.pipeline), await streamsFound(streams, plan));
        if (lost !== undefined) return { is: 'waiting', progress: { lost: lost.sentence }, problem: lost };
        if (!(await pipelineStreamsExist(streams, plan, { adopts }))) return { is: 'done', value: { drained: true } };
        const isLive = (name: string) => live.has(name);
        // Who stops may be asked again when it continues; what is deleted is gone.
        const isForGood = input.until === 'drainedOrImmediate';
        // First: a slot that acts upon its decision moves its position back before it takes the question back.
        const asked = isForGood ? await askedBy(streams, plan, isLive) : undefined;
        await passOverAll(streams, plan);
        const { drained, behind } = await isDrained(streams, plan, { stage: isLive });
        if (drained && asked === undefined) return { is: 'done', value: { drained } };
        const problem = asked ?? (await notDrained(kube, input.op, behindText(behind)));
        if (input.op.kind === 'teardown' && (await isBeyondPods(kube, input))) {
          deps.log.warn(
            { pid: plan.pipeline.pid, problem: problem.sentence },
            'given up with the namespace of the pods',
          );
          return { is: 'done', value: { drained: false } };
        }
        const asks = asked === undefined ? {} : { asks: String(asked.params['token']) };
        return { is: 'waiting', progress: { behind: behindText(behind), ...asks }, problem };
      });
    }),

    deleteStreams: asStep(deps, async (input) => {
      const { op, pid } = input;
      await assertMayTakeDown(kube, op.pipeline);
      const { uid } = op.pipeline;
      const adopts = await isOfEarlierVersion(kube, input);
      // From now on none of them is one that got lost: no decision makes it again (`./decision.ts`, A4).
      await noteStreams(deps, input, []);
      const foreign = await deletePipelineStreams(deps.streams(), { pid, uid, adopts });
      if (foreign.length > 0) deps.log.warn({ pid, streams: foreign }, "streams that are not the pipeline's are left");
    }),

    forgetLeases: asStep(deps, async ({ op, pid }) => {
      await assertMayTakeDown(kube, op.pipeline);
      await forgetLeasesAndReports(deps.streams(), { pid, uid: op.pipeline.uid, adopts: false });
    }),
  };
}

/** What acts on streams need to know of the operation. */
export function actOf(deps: ActivityDependencies, { op }: PlanRef): Act {
  return { streams: deps.streams(), opSeq: op.seq, clock: deps.clock, release: deps.image };
}

/** Streams that were made, as the status has them. */
async function knownStreams(kube: Kube, pipeline: PipelineRef): Promise<readonly StreamStatus[]> {
  const resource = await findResource(kube, pipeline);
  return resource === undefined ? [] : (ownStatus(resource).streams ?? []);
}

/** From now on a stream that is gone is noticed. */
async function noteStreams({ kube, clock }: ActivityDependencies, { op }: PlanRef, streams: readonly StreamStatus[]) {
  const target = { pipeline: op.pipeline, opSeq: op.seq, generation: op.generation };
  await updateStatus(kube, clock, target, () => ({ streams }));
}

/**
 * v0.1 has set it up, and nothing since: its streams do not say whose they are, and its workloads not in which cluster.
 * Streams come first when a pipeline is set up, so with the first workload that says so they do, too.
 */
async function isOfEarlierVersion(kube: Kube, { op, workloadNamespace }: PlanRef): Promise<boolean> {
  const found = await kube.list('Deployment', { namespace: workloadNamespace, labels: ownerLabels(op.pipeline.uid) });
  return found.items.some(({ metadata }) => metadata.annotations?.[annotations.cluster] === undefined);
}

/** For a resource that is gone nobody could say that its records may be given up. */
export async function isDrainWanted(kube: Kube, pipeline: PipelineRef): Promise<boolean> {
  const resource = await findResource(kube, pipeline);
  if (resource === undefined) return false;
  const { deletionPolicy = 'Drain' } = wishesOf(resource);
  return deletionPolicy === 'Drain';
}

/** A stop does not wait for a sink that the spec has given up meanwhile: a later operation takes it off. */
async function givenUp({ kube, cluster }: ActivityDependencies, pipeline: PipelineRef) {
  const resource = await findResource(kube, pipeline);
  return resource === undefined ? () => false : givenUpBy(resource, cluster);
}

/** The namespace of the pods is being deleted and the last pod has ended: no further pod can write anything. */
async function isBeyondPods(kube: Kube, { op, workloadNamespace }: PlanRef): Promise<boolean> {
  const namespace = await kube.get('Namespace', workloadNamespace);
  if (namespace !== undefined && !isBeingDeleted(namespace)) return false;
  const pods = await kube.list('Pod', { namespace: workloadNamespace, labels: ownerLabels(op.pipeline.uid) });
  return pods.items.length === 0;
}

/** `sink-warehouse slot 0 is 12 frames behind`. */
export function behindText(behind: readonly Backlog[]): string {
  return behind.map(({ stage, slot, frames }) => `${stage} slot ${slot} is ${frames} frames behind`).join(', ');
}
