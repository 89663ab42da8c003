/** The JetStream side of a pipeline: its streams, whether they are drained, and their deletion. */
import type { Kube } from '../../kubernetes/kube.ts';
import type { LifecycleActivities, PipelineRef, PlanRef } from '../../model/lifecycle.ts';
import { annotations } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
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
import { wishesOf } from '../spec.ts';
import { ownStatus } from '../status/merge.ts';
import { updateStatus } from '../status/write.ts';
import { asStep, waitFor, type Look } from '../step.ts';
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
      // Pods of v0.1 may still run after an interruption and in the next operation: so the plan before counts until one
      // is in force.
      const isAdopted = !isNew && (adopts || (await readPlanInForce(streams, plan.pipeline.pid)) === undefined);
      const before = isAdopted ? await planBefore(kube, input, plan) : undefined;
      await registerPlan(actOf(deps, input), plan, { before });
      await noteStreams(deps, input, allOf(plan, await streamsFound(streams, plan)));
    }),

    /**
     * Level-triggered in two ways: it checks positions, and the resource's deletion policy, so that a person who
     * cannot repair the sink can give the records up while it waits.
     */
    waitDrained: asStep(deps, async (input) => {
      const plan = await latestPlan(kube, input);
      if (plan === undefined) return { drained: true };
      const adopts = await isOfEarlierVersion(kube, input);
      return waitFor(deps, input, () => lookAtDraining(deps, input, { plan, adopts }));
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

interface Drain {
  readonly plan: Plan;
  /** Also streams that do not say whose they are. */
  readonly adopts: boolean;
}

/** One look of `waitDrained`. */
async function lookAtDraining(
  deps: ActivityDependencies,
  input: Parameters<StreamActivities['waitDrained']>[0],
  { plan, adopts }: Drain,
): Promise<Look<{ drained: boolean }>> {
  const { kube } = deps;
  const { op } = input;
  // Who stops may be asked again when it continues; what is deleted is gone.
  const isForGood = input.until === 'drainedOrImmediate';
  if (isForGood && !(await isDrainWanted(kube, op.pipeline))) return { is: 'done', value: { drained: false } };
  const streams = deps.streams();
  // A missing stream can never be drained: a person decides, or gives the records up with Immediate.
  const lost = lostOf(plan, await knownStreams(kube, op.pipeline), await streamsFound(streams, plan));
  if (lost !== undefined) return { is: 'waiting', progress: { lost: lost.sentence }, problem: lost };
  if (!(await pipelineStreamsExist(streams, plan, { adopts }))) return { is: 'done', value: { drained: true } };
  // Who waits names the sinks, also one whose Deployment somebody deletes meanwhile. Otherwise those that are deployed: one
  // that never was holds no position, and cannot be waited for.
  const sinks = (await liveStages(kube, input)).filter(({ kind }) => kind === 'sink');
  const live = new Set(sinks.map(({ name }) => name));
  const isAwaited = (name: string) => input.sinks?.includes(name) ?? live.has(name);
  // Questions before positions: a slot that acts upon a decision moves its position back, and then takes its question
  // back. The other way round the old position and no question could be seen.
  const asked = isForGood ? await askedBy(streams, plan, isAwaited) : undefined;
  await passOverAll(streams, plan);
  const { drained, behind } = await isDrained(streams, plan, { stage: isAwaited });
  if (drained && asked === undefined) return { is: 'done', value: { drained } };
  const problem = asked ?? (await notDrained(kube, op, behindText(behind)));
  if (op.kind === 'teardown' && (await isBeyondPods(kube, input))) {
    deps.log.warn({ pid: plan.pipeline.pid, problem: problem.sentence }, 'given up with the namespace of the pods');
    return { is: 'done', value: { drained: false } };
  }
  const asks = asked === undefined ? {} : { asks: String(asked.params['token']) };
  return { is: 'waiting', progress: { behind: behindText(behind), ...asks }, problem };
}

/** What the acts of `stream/` need of an operation. */
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
 * Some workload is still as v0.1 has left it, without its cluster, so its pods may run and the streams may not say whose
 * they are. To adopt streams that do say so changes nothing.
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
