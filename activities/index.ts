/** All activities of the task queue `pipelines`. */
import type { LifecycleActivities } from '../model/lifecycle.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { revisionActivities } from './kubernetes/revision.ts';
import { stageActivities } from './kubernetes/stages.ts';
import { surroundingsActivities } from './kubernetes/surroundings.ts';
import { teardownActivities } from './kubernetes/teardown.ts';
import { resourceActivities } from './resource.ts';
import { specActivities } from './spec.ts';
import { statusActivities } from './status/activity.ts';
import { streamActivities } from './streams/pipeline-streams.ts';

export type { ActivityDependencies, Clock } from './dependencies.ts';

export function createActivities(deps: ActivityDependencies): LifecycleActivities {
  return {
    ...specActivities(deps),
    ...statusActivities(deps),
    ...surroundingsActivities(deps),
    ...stageActivities(deps),
    ...streamActivities(deps),
    ...teardownActivities(deps),
    ...revisionActivities(deps),
    ...resourceActivities(deps),
  };
}
