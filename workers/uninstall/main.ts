/** The hook before the chart is uninstalled. */
import { z } from 'zod';
import { connectKube } from '../../kubernetes/kube.ts';
import { servedResources } from '../../kubernetes/served.ts';
import { apiVersion, plural } from '../../model/names.ts';
import { systemClock } from '../../stream/clock.ts';
import type { UninstallPolicy } from '../../model/uninstall-policy.ts';
import { controlPlane, readEnvironment } from '../process/environment.ts';
import { watchNamespaces } from '../process/watch-namespaces.ts';
import { beforeUninstall, type Uninstalling } from './before-uninstall.ts';

const environment = z.object({ ...controlPlane, ...watchNamespaces });

export async function runUninstall(
  policy: UninstallPolicy,
  env: NodeJS.ProcessEnv,
  how: Pick<Uninstalling, 'say' | 'timeoutMs' | 'saidIn'>,
): Promise<void> {
  const { KUBECONFIG, MILLRACE_WATCH_NAMESPACES } = readEnvironment(environment, env);
  const kube = connectKube(KUBECONFIG, MILLRACE_WATCH_NAMESPACES);
  try {
    const hasKind = async () => (await servedResources(kube.transport, apiVersion)).includes(plural);
    await beforeUninstall(policy, { ...how, kube, hasKind, clock: systemClock });
  } finally {
    kube.close();
  }
}
