/** An edit takes effect, and removed stages and sources leave: the JetStream side of it (E9, E10). */
import { MillraceError, mr } from '../../model/errors.ts';
import type { LifecycleActivities, PlanRef } from '../../model/lifecycle.ts';
import type { Plan } from '../../model/plan.ts';
import type { PlanInForceStatus } from '../../model/status.ts';
import { nameFor, namingOf, type Naming } from '../../stream/announce.ts';
import { registerWriters } from '../../stream/register-writers.ts';
import { announcePlan } from '../../stream/plan-store.ts';
import { beginLeaving, finishLeaving, leavingOf, prunePlans, stoppedBehind, unfinished } from '../../stream/retire.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { liveStages } from '../kubernetes/stages.ts';
import { readPlan } from '../kubernetes/stored-plan.ts';
import { asStep, waitFor, type Look } from '../step.ts';
import { notDrained } from './not-drained.ts';
import { askedBy } from './open-questions.ts';
import { actOf, behindText, isDrainWanted } from './pipeline-streams.ts';

type PlanActivities = Pick<LifecycleActivities, 'announcePlan' | 'waitRetired' | 'retireStages'>;

/** Running pods name a plan within milliseconds; a writer that has not by then gets the lifecycle's frame. */
const patienceMs = 3_000;
/** The number that the status shows. */
const shownWriters = 64;

export function planActivities(deps: ActivityDependencies): PlanActivities {
  const { kube, clock } = deps;
  return {
    announcePlan: asStep(deps, async (input) => {
      const plan = await readPlan(kube, input);
      await registerWriters(actOf(deps, input), plan);
      await announcePlan(deps.streams(), plan);
      const patience = (await hasIngestors(deps, input)) ? patienceMs : 0;
      const begunAt = clock.now();
      return waitFor<PlanInForceStatus>(deps, input, async () => {
        const naming = await namingOf(deps.streams(), plan);
        if (naming.behind.length === 0) return { is: 'done', value: inForce(plan.pipeline.generation, naming) };
        const behind = naming.behind.map(({ writer }) => writer);
        if (clock.now() - begunAt < patience) return { is: 'waiting', progress: { behind } };
        try {
          // In turn: they are few, and each is one small message.
          for (const tail of naming.behind) await nameFor(actOf(deps, input), tail, plan);
          return { is: 'waiting', progress: { named: behind } };
        } catch (error) {
          return whileFull(error, behind);
        }
      });
    }),

    waitRetired: asStep(deps, async (input) => {
      const plan = await readPlan(kube, input);
      await waitFor(deps, input, () => lookAtLeaving(deps, input, plan));
    }),

    /**
     * What is registered and no longer in the plan, whatever the cluster shows of it: the pods of a stage may have been
     * deleted by hand. With Drain it is read to its end first: if its pods were stopped, they are started once more (L4 of
     * `stream/retire.ts`); if they are gone, that ends when a person says Immediate.
     */
    retireStages: asStep(deps, async (input) => {
      const plan = await readPlan(kube, input);
      const isGivenUp = await waitFor<boolean>(deps, input, async () => {
        if (!(await isDrainWanted(kube, input.op.pipeline))) return { is: 'done', value: true };
        const look = await lookAtLeaving(deps, input, plan);
        return look.is === 'done' ? { is: 'done', value: false } : look;
      });
      await finishLeaving(actOf(deps, input), plan, { isGivenUp });
      await prunePlans(deps.streams(), plan);
    }),
  };
}

/** Whether everything that leaves, if anything does, has been read to its end. */
async function lookAtLeaving(deps: ActivityDependencies, input: PlanRef, plan: Plan): Promise<Look<undefined>> {
  const streams = deps.streams();
  await beginLeaving(actOf(deps, input), plan);
  const { readers } = await leavingOf(streams, plan);
  const live = readers.length === 0 ? [] : await liveStages(deps.kube, input);
  const isThere = (stage: string, hasPods: boolean) =>
    live.some(({ name, wanted }) => name === stage && wanted > 0 === hasPods);
  // A stage without pods has been read to its end and stopped, or its pods were deleted by hand: nobody would act upon a
  // decision. Seed 2014120: a sink went back between its last look and its stop, and its question was waited for, for good.
  const mayAct = (stage: string) => readers.includes(stage) && isThere(stage, true);
  const asked = readers.length === 0 ? undefined : await askedBy(streams, plan, mayAct);
  const left = await unfinished(streams, plan);
  const stage = stoppedBehind(left, readers, (name) => isThere(name, false));
  if (stage !== undefined) throw mr('MR_STAGE_BEHIND_AGAIN', { stage });
  const behind = behindText(left);
  if (behind === '' && asked === undefined) return { is: 'done', value: undefined };
  return { is: 'waiting', progress: { behind }, problem: asked ?? (await notDrained(deps.kube, input.op, behind)) };
}

async function hasIngestors({ kube }: ActivityDependencies, input: PlanRef): Promise<boolean> {
  return (await liveStages(kube, input)).some(({ kind, wanted }) => kind === 'ingestor' && wanted > 0);
}

function inForce(generation: number, { from }: Naming): PlanInForceStatus {
  return { generation, from: from.slice(0, shownWriters) };
}

/** A full edge has no room for the frame that names the plan, either: its readers must first make some. */
function whileFull(error: unknown, behind: readonly string[]): Look<never> {
  if (!(error instanceof MillraceError) || error.code !== 'MR_EDGE_FULL') throw error;
  return { is: 'waiting', progress: { behind: [...behind] }, problem: error };
}
