/** The controller's environment, parsed once. */
import { z } from 'zod';

const envSchema = z.object({
  KUBECONFIG: z.string().optional(),
  MILLRACE_NATS_URL: z.string().default('nats://127.0.0.1:4222'),
  MILLRACE_TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  MILLRACE_TEMPORAL_NAMESPACE: z.string().default('default'),
  MILLRACE_HEALTH_LISTEN: z.string().optional(),
  MILLRACE_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  /** How often pipelines without an open entity are looked for. */
  MILLRACE_SWEEP_SECONDS: z.coerce.number().int().min(1).default(60),
});

export interface ControllerConfig {
  readonly kubeconfig: string | undefined;
  readonly natsUrl: string;
  readonly temporal: { readonly address: string; readonly namespace: string };
  readonly healthListen: string | undefined;
  readonly logLevel: string;
  readonly sweepMs: number;
}

export function parseControllerConfig(env: NodeJS.ProcessEnv): ControllerConfig {
  const parsed = envSchema.parse(env);
  return {
    kubeconfig: parsed.KUBECONFIG,
    natsUrl: parsed.MILLRACE_NATS_URL,
    temporal: { address: parsed.MILLRACE_TEMPORAL_ADDRESS, namespace: parsed.MILLRACE_TEMPORAL_NAMESPACE },
    healthListen: parsed.MILLRACE_HEALTH_LISTEN,
    logLevel: parsed.MILLRACE_LOG_LEVEL,
    sweepMs: parsed.MILLRACE_SWEEP_SECONDS * 1_000,
  };
}
