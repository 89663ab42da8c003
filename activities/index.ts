/** All activities of the task queue `pipelines`. */
import type { LifecycleActivities } from '../model/lifecycle.ts';
import { boundToAttempt, streamsOfAttempt } from './attempt.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { revisionActivities } from './kubernetes/revision.ts';
import { stageActivities } from './kubernetes/stages.ts';
import { surroundingsActivities } from './kubernetes/surroundings.ts';
import { teardownActivities } from './kubernetes/teardown.ts';
import { resourceActivities } from './resource.ts';
import { specActivities } from './spec.ts';
import { statusActivities } from './status/activity.ts';
import { decisionActivities } from './streams/decision.ts';
import { streamActivities } from './streams/pipeline-streams.ts';
import { planActivities } from './streams/plan-in-force.ts';

export type { ActivityDependencies, PodAccess } from './dependencies.ts';

/** Every request that they send belongs to the attempt that sends it (`./attempt.ts`). */
export function createActivities(process: ActivityDependencies): LifecycleActivities {
  const deps = { ...process, kube: boundToAttempt(process.kube), streams: () => streamsOfAttempt(process.streams()) };
  return {
    ...specActivities(deps),
    ...statusActivities(deps),
    ...surroundingsActivities(deps),
    ...stageActivities(deps),
    ...streamActivities(deps),
    ...planActivities(deps),
    ...decisionActivities(deps),
    ...teardownActivities(deps),
    ...revisionActivities(deps),
    ...resourceActivities(deps),
  };
}
