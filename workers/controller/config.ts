/** The controller's environment, parsed once. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { controlPlane, natsUrl, readEnvironment } from '../process/environment.ts';
import { listenAddress, type ListenAddress } from '../process/listen.ts';

const environment = z.object({
  ...controlPlane,
  MILLRACE_NATS_URL: natsUrl,
  MILLRACE_HEALTH_LISTEN: listenAddress.optional(),
  /** Name of this pod or process: its identity in the lease. */
  MILLRACE_POD_NAME: z.string().min(1).optional(),
  /** Namespace of the lease. */
  MILLRACE_NAMESPACE: z.string().min(1).default('default'),
  /** Pipelines that are repaired at the same time, when many deviate. */
  MILLRACE_REPAIRS_AT_ONCE: z.coerce.number().int().min(1).default(8),
  /** Interval of the sweep that looks for pipelines without an open entity. */
  MILLRACE_SWEEP_SECONDS: z.coerce.number().int().min(1).default(60),
});

export interface ControllerConfig {
  readonly kubeconfig: string | undefined;
  readonly natsUrl: string;
  readonly temporal: { readonly address: string; readonly namespace: string };
  readonly healthListen: ListenAddress | undefined;
  readonly logLevel: string;
  readonly sweepMs: number;
  readonly repairsAtOnce: number;
  readonly lease: { readonly namespace: string; readonly identity: string };
}

export function parseControllerConfig(env: NodeJS.ProcessEnv): ControllerConfig {
  const parsed = readEnvironment(environment, env);
  return {
    kubeconfig: parsed.KUBECONFIG,
    natsUrl: parsed.MILLRACE_NATS_URL,
    temporal: { address: parsed.MILLRACE_TEMPORAL_ADDRESS, namespace: parsed.MILLRACE_TEMPORAL_NAMESPACE },
    healthListen: parsed.MILLRACE_HEALTH_LISTEN,
    logLevel: parsed.MILLRACE_LOG_LEVEL,
    sweepMs: parsed.MILLRACE_SWEEP_SECONDS * 1_000,
    repairsAtOnce: parsed.MILLRACE_REPAIRS_AT_ONCE,
    lease: {
      namespace: parsed.MILLRACE_NAMESPACE,
      identity: parsed.MILLRACE_POD_NAME ?? `${hostname()}_${randomUUID().slice(0, 8)}`,
    },
  };
}
