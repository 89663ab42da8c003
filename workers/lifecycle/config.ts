/** The lifecycle worker's environment, parsed once. */
import { z } from 'zod';

const envSchema = z.object({
  KUBECONFIG: z.string().optional(),
  MILLRACE_NATS_URL: z.string().default('nats://127.0.0.1:4222'),
  /** NATS as pods reach it, when that differs. */
  MILLRACE_POD_NATS_URL: z.string().optional(),
  MILLRACE_TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  MILLRACE_TEMPORAL_NAMESPACE: z.string().default('default'),
  MILLRACE_TEMPORAL_UI_URL: z.url().optional(),
  MILLRACE_IMAGE: z.string().default('millrace/millrace:dev'),
  MILLRACE_STREAM_REPLICAS: z.coerce.number().int().min(1).max(5).default(1),
  MILLRACE_HEALTH_LISTEN: z.string().optional(),
  /** Set by a deployment with worker versioning: the build that this process is. */
  MILLRACE_BUILD_ID: z.string().optional(),
  MILLRACE_WORKFLOW_BUNDLE: z.string().optional(),
  MILLRACE_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
});

export interface LifecycleConfig {
  readonly kubeconfig: string | undefined;
  readonly natsUrl: string;
  readonly podNatsUrl: string;
  readonly temporal: { readonly address: string; readonly namespace: string; readonly uiUrl: string | undefined };
  readonly image: string;
  readonly streamReplicas: number;
  readonly healthListen: string | undefined;
  readonly buildId: string | undefined;
  /** A bundle made at image build; else one is made, and kept for the next start. */
  readonly bundlePath: string | undefined;
  readonly logLevel: string;
}

export function parseLifecycleConfig(env: NodeJS.ProcessEnv): LifecycleConfig {
  const parsed = envSchema.parse(env);
  return {
    kubeconfig: parsed.KUBECONFIG,
    natsUrl: parsed.MILLRACE_NATS_URL,
    podNatsUrl: parsed.MILLRACE_POD_NATS_URL ?? parsed.MILLRACE_NATS_URL,
    temporal: {
      address: parsed.MILLRACE_TEMPORAL_ADDRESS,
      namespace: parsed.MILLRACE_TEMPORAL_NAMESPACE,
      uiUrl: parsed.MILLRACE_TEMPORAL_UI_URL,
    },
    image: parsed.MILLRACE_IMAGE,
    streamReplicas: parsed.MILLRACE_STREAM_REPLICAS,
    healthListen: parsed.MILLRACE_HEALTH_LISTEN,
    buildId: parsed.MILLRACE_BUILD_ID,
    bundlePath: parsed.MILLRACE_WORKFLOW_BUNDLE,
    logLevel: parsed.MILLRACE_LOG_LEVEL,
  };
}
