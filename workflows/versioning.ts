/**
 * Which version of the code a run goes on with when workers are versioned. Without worker versioning the server refuses
 * any such wish, so it is only said when the worker has a deployment version.
 */
import { setWorkflowOptions, workflowInfo } from '@temporalio/workflow';

type Workflow = (input: never) => Promise<unknown>;

/** `AUTO_UPGRADE`: the next task runs on the new version. */
export function goesOn(behavior: 'AUTO_UPGRADE', ...workflows: readonly Workflow[]): void {
  for (const workflow of workflows) {
    setWorkflowOptions(
      // An unversioned worker has a build id but no deployment.
      () =>
        (workflowInfo().currentDeploymentVersion?.deploymentName ?? '') === '' ? {} : { versioningBehavior: behavior },
      workflow,
    );
  }
}
