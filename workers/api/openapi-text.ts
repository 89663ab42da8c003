/** The OpenAPI document as text, from a server without a cluster. */
import type { Kube } from '../../kubernetes/kube.ts';
import { withDefaults } from '../../crds/defaults.ts';
import { pipelineDoor } from '../../kubernetes/pipelines.ts';
import { fieldManagers } from '../../model/names.ts';
import { packageVersion } from '../process/version.ts';
import type { OperationRuns } from './operation-runs.ts';
import { buildServer } from './server.ts';

export async function openApiText(): Promise<string> {
  const server = await buildServer({
    kube: noKube,
    runs: noRuns,
    pipelines: pipelineDoor(noKube, fieldManagers.api, withDefaults),
    version: packageVersion(),
    logLevel: 'silent',
  });
  try {
    await server.ready();
    return `${JSON.stringify(server.swagger(), undefined, 2)}\n`;
  } finally {
    await server.close();
  }
}

const refuse = (): Promise<never> => Promise.reject(new TypeError('the document is made without a cluster'));
const noRuns: OperationRuns = { describe: refuse, retry: refuse, isReachable: refuse, close: () => Promise.resolve() };
const noKube: Kube = {
  server: 'none',
  transport: { server: 'none', send: refuse, open: refuse, close: () => undefined },
  get: refuse,
  list: refuse,
  apply: refuse,
  create: refuse,
  patchMerge: refuse,
  delete: refuse,
  close: () => undefined,
};
