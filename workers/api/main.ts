/** The API's process. */
import { Registry } from 'prom-client';
import { connectKube } from '../../kubernetes/kube.ts';
import { fieldManagers } from '../../model/names.ts';
import { authInfoOf, readConfig } from './config.ts';
import { identityOf } from './identity/of-config.ts';
import { temporalRuns } from './operation-runs.ts';
import { withDefaults } from '../../crds/defaults.ts';
import { pipelineDoor } from '../../kubernetes/pipelines.ts';
import { buildServer } from './server.ts';
import { serveHealth } from '../process/health.ts';
import { aborted, untilAskedToStop } from '../process/run.ts';
import { packageVersion } from '../process/version.ts';
import { orWhenChanged } from '../process/when-changed.ts';

/** Resolves with the exit code. */
export async function runApi(env: NodeJS.ProcessEnv): Promise<number> {
  const config = readConfig(env);
  const kube = connectKube(config.kubeconfig, config.namespaces);
  const runs = temporalRuns(config.temporal);
  const metrics = new Registry();
  const server = await buildServer({
    metrics,
    kube,
    runs,
    pipelines: pipelineDoor(kube, fieldManagers.api, withDefaults),
    version: packageVersion(),
    logLevel: config.logLevel,
    auth: authInfoOf(config.auth),
    access: {
      token: config.auth.mode === 'token' ? config.auth.token : undefined,
      identity: identityOf(config.auth, kube),
      hosts: config.hosts,
      rates: config.rates,
    },
  });
  return untilAskedToStop(
    server.log,
    async (stop) => {
      const health =
        config.healthListen === undefined
          ? undefined
          : await serveHealth({ listen: config.healthListen, notReady: () => undefined, metrics });
      try {
        await server.listen({ host: config.host, port: config.port });
        await aborted(stop);
      } finally {
        await server.close();
        await health?.close();
        await runs.close();
        kube.close();
      }
    },
    (stop) => orWhenChanged(config.temporal.accessDir, stop, server.log),
  );
}
