/** The API on a cluster of the tests, without a socket unless a test asks for one. */
import { withDefaults } from '../../../crds/defaults.ts';
import { pipelineDoor } from '../../../kubernetes/pipelines.ts';
import type { Api } from '../../../workers/api/api.ts';
import { buildServer } from '../../../workers/api/server.ts';
import type { OperationRun, OperationRuns } from '../../../workers/api/operation-runs.ts';
import { fieldManagers } from '../../../model/names.ts';
import type { Kube } from '../../../kubernetes/kube.ts';

/** What Temporal would say; the real thing is tested in operation-runs.test.ts. */
export function runsOf(known: Readonly<Record<string, OperationRun>> = {}): OperationRuns {
  return {
    describe: async (id) => known[id] ?? null,
    retry: async () => undefined,
    isReachable: async () => true,
    close: async () => undefined,
  };
}

export function apiOn(kube: Kube, runs: OperationRuns = runsOf()): Promise<Api> {
  return buildServer({
    kube,
    runs,
    pipelines: pipelineDoor(kube, fieldManagers.api, withDefaults),
    version: '0.0.0-test',
    logLevel: 'silent',
    planWaitMs: 100,
  });
}
