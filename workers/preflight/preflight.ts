/** Everything that one process of an installation needs, as its own environment says where it is. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { connectKube, type Kube } from '../../kubernetes/kube.ts';
import {
  confinedRights,
  identityModes,
  identityRights,
  impersonationModes,
  rights,
  type ControlProcess,
  type Right,
} from '../../model/rights.ts';
import { controlPlane, readEnvironment } from '../process/environment.ts';
import { natsOf, natsVariables } from '../process/nats.ts';
import { temporalOf, temporalVariables } from '../process/temporal.ts';
import { watchNamespaces } from '../process/watch-namespaces.ts';
import { lookAt, type Check, type Finding } from './check.ts';
import { kindCheck, rightsCheck, versionCheck } from './kubernetes.ts';
import { natsCheck } from './nats.ts';
import { temporalCheck } from './temporal.ts';

const environment = z.object({
  ...controlPlane,
  ...natsVariables,
  ...temporalVariables,
  ...watchNamespaces,
  MILLRACE_NAMESPACE: z.string().min(1).default('default'),
  /** Of the API: what it needs of Kubernetes depends on how it knows its callers. */
  MILLRACE_API_AUTH_MODE: z.enum(['none', 'token', ...identityModes]).default('none'),
  MILLRACE_API_IMPERSONATION: z.enum(impersonationModes).default('constrained'),
  MILLRACE_STREAM_REPLICAS: z.coerce.number().int().min(1).max(5).default(1),
});

/** `process`: whose rights and needs. Throws what keeps it from looking at all: a variable, the kubeconfig. */
export async function preflight(process: ControlProcess, env: NodeJS.ProcessEnv): Promise<readonly Finding[]> {
  const config = readEnvironment(environment, env);
  const kube = connectKube(config.KUBECONFIG, config.MILLRACE_WATCH_NAMESPACES);
  try {
    return await lookAt(checksOf(process, config, kube));
  } finally {
    kube.close();
  }
}

function checksOf(process: ControlProcess, config: z.output<typeof environment>, kube: Kube): readonly Check[] {
  const needed = neededBy(process, config, kube.transport.onlyIn !== undefined);
  const kubernetes = [
    versionCheck(kube),
    kindCheck(kube),
    rightsCheck(kube, process, needed, config.MILLRACE_NAMESPACE),
  ];
  if (process === 'uninstall') return kubernetes;
  const nats = { ...natsOf(config), streamReplicas: config.MILLRACE_STREAM_REPLICAS };
  return [
    ...kubernetes,
    temporalCheck(temporalOf(config)),
    // The API does not speak to NATS.
    ...(process === 'api' ? [] : [natsCheck({ ...nats, name: `mr-preflight-${randomUUID().slice(0, 8)}` })]),
  ];
}

function neededBy(
  process: ControlProcess,
  config: z.output<typeof environment>,
  isConfined: boolean,
): readonly Right[] {
  const mode = identityModes.find((one) => one === config.MILLRACE_API_AUTH_MODE);
  if (process === 'api' && mode !== undefined) return identityRights(mode, config.MILLRACE_API_IMPERSONATION);
  return (isConfined ? confinedRights : rights)[process];
}
