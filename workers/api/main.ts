/** The API's process: reads its environment, listens, and ends in order on SIGTERM or SIGINT. */
import { connectKube } from '../../kubernetes/kube.ts';
import { fieldManagers } from '../../model/names.ts';
import { readConfig } from './config.ts';
import { temporalRuns } from './operation-runs.ts';
import { pipelineDoor } from '../../kubernetes/pipelines.ts';
import { buildServer } from './server.ts';
import { packageVersion } from '../process/version.ts';

/** Resolves with the exit code. */
export async function runApi(env: NodeJS.ProcessEnv): Promise<number> {
  const config = readConfig(env);
  const kube = connectKube(config.kubeconfig);
  const runs = temporalRuns(config.temporal);
  const server = await buildServer({
    kube,
    runs,
    pipelines: pipelineDoor(kube, fieldManagers.api),
    version: packageVersion(),
    logLevel: config.logLevel,
  });
  const stopped = untilSignal();
  try {
    await server.listen({ host: config.host, port: config.port });
    await stopped;
  } finally {
    await server.close();
    await runs.close();
    kube.close();
  }
  return 0;
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
}
