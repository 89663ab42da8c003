/** The lifecycle worker's environment, parsed once. */
import { z } from 'zod';
import { controlPlane, readEnvironment } from '../process/environment.ts';
import { listenAddress, type ListenAddress } from '../process/listen.ts';
import { natsOf, natsVariables, type NatsAt } from '../process/nats.ts';
import type { PodAccessConfig } from './pod-access.ts';
import { temporalOf, temporalVariables, type TemporalAt } from '../process/temporal.ts';
import { watchNamespaces } from '../process/watch-namespaces.ts';

const environment = z.object({
  ...controlPlane,
  ...natsVariables,
  ...temporalVariables,
  ...watchNamespaces,
  /** NATS as pods reach it, when that differs. */
  MILLRACE_POD_NATS_URL: z.string().optional(),
  /** A folder whose files are given to the pods of all pipelines, as what lets them in at NATS. */
  MILLRACE_POD_NATS_ACCESS_DIR: z.string().min(1).optional(),
  /** A folder with the seed that signs users of Millrace's account: then each pipeline's pods get a user of their own. */
  MILLRACE_NATS_ACCOUNT_DIR: z.string().min(1).optional(),
  /** A file with a dockerconfigjson, with which the image of pods is pulled. */
  MILLRACE_POD_PULL_CONFIGS: z.string().min(1).optional(),
  MILLRACE_TEMPORAL_UI_URL: z.url().optional(),
  MILLRACE_IMAGE: z.string().default('millrace/millrace:dev'),
  MILLRACE_STREAM_REPLICAS: z.coerce.number().int().min(1).max(5).default(1),
  MILLRACE_HEALTH_LISTEN: listenAddress.optional(),
  /** Set by a deployment with worker versioning: the build id of this process. */
  MILLRACE_BUILD_ID: z.string().optional(),
  MILLRACE_WORKFLOW_BUNDLE: z.string().optional(),
});

export interface LifecycleConfig {
  readonly kubeconfig: string | undefined;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly nats: NatsAt;
  readonly podNatsUrl: string;
  readonly podAccess: PodAccessConfig;
  readonly temporal: TemporalAt & { readonly uiUrl: string | undefined };
  readonly image: string;
  readonly streamReplicas: number;
  readonly healthListen: ListenAddress | undefined;
  readonly buildId: string | undefined;
  /** A bundle from the image build. Undefined: one is made, and cached for the next start. */
  readonly bundlePath: string | undefined;
  readonly logLevel: string;
}

export function parseLifecycleConfig(env: NodeJS.ProcessEnv): LifecycleConfig {
  const parsed = readEnvironment(environment, env);
  return {
    kubeconfig: parsed.KUBECONFIG,
    namespaces: parsed.MILLRACE_WATCH_NAMESPACES,
    nats: natsOf(parsed),
    podNatsUrl: parsed.MILLRACE_POD_NATS_URL ?? parsed.MILLRACE_NATS_URL,
    podAccess: {
      natsAccessDir: parsed.MILLRACE_POD_NATS_ACCESS_DIR,
      natsAccountDir: parsed.MILLRACE_NATS_ACCOUNT_DIR,
      pullConfigs: parsed.MILLRACE_POD_PULL_CONFIGS,
    },
    temporal: { ...temporalOf(parsed), uiUrl: parsed.MILLRACE_TEMPORAL_UI_URL },
    image: parsed.MILLRACE_IMAGE,
    streamReplicas: parsed.MILLRACE_STREAM_REPLICAS,
    healthListen: parsed.MILLRACE_HEALTH_LISTEN,
    buildId: parsed.MILLRACE_BUILD_ID,
    bundlePath: parsed.MILLRACE_WORKFLOW_BUNDLE,
    logLevel: parsed.MILLRACE_LOG_LEVEL,
  };
}
