/** The controller's environment, parsed once. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { controlPlane, readEnvironment } from '../process/environment.ts';
import { listenAddress, type ListenAddress } from '../process/listen.ts';
import { natsOf, natsVariables, type NatsAt } from '../process/nats.ts';
import { temporalOf, temporalVariables, type TemporalAt } from '../process/temporal.ts';
import { checkWebhook, webhookOf, webhookVariables, type WebhookConfig } from './webhook/config.ts';
import { watchNamespaces } from '../process/watch-namespaces.ts';

const variables = z.object({
  ...controlPlane,
  ...natsVariables,
  ...temporalVariables,
  ...webhookVariables,
  ...watchNamespaces,
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
const environment = variables.superRefine(checkWebhook);

export interface ControllerConfig {
  readonly kubeconfig: string | undefined;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly nats: NatsAt;
  readonly temporal: TemporalAt;
  readonly healthListen: ListenAddress | undefined;
  readonly logLevel: string;
  readonly sweepMs: number;
  readonly repairsAtOnce: number;
  /** Undefined: there is none. */
  readonly webhook: WebhookConfig | undefined;
  readonly lease: { readonly namespace: string; readonly identity: string };
}

export function parseControllerConfig(env: NodeJS.ProcessEnv): ControllerConfig {
  const parsed = readEnvironment(environment, env);
  return {
    kubeconfig: parsed.KUBECONFIG,
    namespaces: parsed.MILLRACE_WATCH_NAMESPACES,
    nats: natsOf(parsed),
    temporal: temporalOf(parsed),
    healthListen: parsed.MILLRACE_HEALTH_LISTEN,
    logLevel: parsed.MILLRACE_LOG_LEVEL,
    sweepMs: parsed.MILLRACE_SWEEP_SECONDS * 1_000,
    repairsAtOnce: parsed.MILLRACE_REPAIRS_AT_ONCE,
    webhook: webhookOf(parsed, parsed.MILLRACE_NAMESPACE),
    lease: {
      namespace: parsed.MILLRACE_NAMESPACE,
      identity: parsed.MILLRACE_POD_NAME ?? `${hostname()}_${randomUUID().slice(0, 8)}`,
    },
  };
}
