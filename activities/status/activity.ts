/** The lifecycle's status and its Events, as one activity: what is written is also told. */
import type { LifecycleActivities } from '../../model/lifecycle.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { toFailure } from '../failures.ts';
import { tellEvent } from './event.ts';
import { updateStatus } from './write.ts';

export function statusActivities(deps: ActivityDependencies): Pick<LifecycleActivities, 'writeStatus'> {
  const { kube, clock } = deps;
  const link = ({ id, runId }: { id: string; runId?: string | undefined }) => {
    const url = runId === undefined ? undefined : deps.workflowUrl?.(id, runId);
    return url === undefined ? {} : { url };
  };
  return {
    async writeStatus({ pipeline, opSeq, generation, patch, event }) {
      try {
        const { workflow } = patch;
        const linked = workflow === undefined ? patch : { ...patch, workflow: { ...workflow, ...link(workflow) } };
        const target = { pipeline, opSeq, generation };
        const written = await updateStatus(kube, clock, target, () => linked);
        if (!written || event === undefined) return;
        await tellEvent(deps, pipeline, event, `${opSeq}/${generation}`);
      } catch (error) {
        throw toFailure(error);
      }
    },
  };
}
