/** The lifecycle's acts by which a plan comes into force, and a source leaves and comes back, in the order of its operations. */
import type { Plan } from '../../../model/plan.ts';
import type { Act } from '../../../stream/act.ts';
import { nameFor, namingOf } from '../../../stream/announce.ts';
import { registerPlan } from '../../../stream/members.ts';
import { announcePlan } from '../../../stream/plan-store.ts';
import { beginLeaving, finishLeaving, prunePlans, unfinished } from '../../../stream/retire.ts';
import { eventually } from '../../support/eventually.ts';

export function withoutSources(plan: Plan, generation: number): Plan {
  const stages = plan.stages.filter(({ kind }) => kind !== 'ingestor');
  return { ...plan, pipeline: { ...plan.pipeline, generation }, stages };
}

/** No pod of it runs: the lifecycle names the plan on behalf of all writers. */
export async function takeEffect(act: Act, plan: Plan): Promise<void> {
  await registerPlan(act, plan);
  await announcePlan(act.streams, plan);
  await eventually(async () => {
    const { behind } = await namingOf(act.streams, plan);
    for (const tail of behind) await nameFor(act, tail, plan);
    return behind.length === 0;
  });
}

/** Sources that are not in the plan leave; sinks are at work. */
export async function leave(act: Act, plan: Plan): Promise<void> {
  await registerPlan(act, plan);
  await announcePlan(act.streams, plan);
  await beginLeaving(act, plan);
  await eventually(async () => (await unfinished(act.streams, plan)).length === 0);
  await finishLeaving(act, plan);
  await prunePlans(act.streams, plan);
}

export async function comeBack(act: Act, plan: Plan): Promise<void> {
  await registerPlan(act, plan);
  await announcePlan(act.streams, plan);
}
