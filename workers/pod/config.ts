/** The environment of a worker pod, parsed once: the contract with the lifecycle, which renders the pod. */
import { z } from 'zod';
import { httpPort } from '../../model/ports.ts';
import { logLevel, readEnvironment } from '../process/environment.ts';
import { natsOf, natsVariables, type NatsAt } from '../process/nats.ts';

const environment = z.object({
  MILLRACE_STAGE: z.string().min(1),
  MILLRACE_PLAN_FILE: z.string().min(1),
  MILLRACE_CREDENTIALS_DIR: z.string().min(1),
  ...natsVariables,
  MILLRACE_NATS_URL: z.string().min(1),
  MILLRACE_POD_NAME: z.string().min(1),
  MILLRACE_POD_IP: z.string().min(1),
  /** The port named `http`. */
  MILLRACE_HTTP_PORT: z.coerce.number().int().min(0).max(65_535).default(httpPort),
  MILLRACE_LOG_LEVEL: logLevel,
  /** Below the pod's terminationGracePeriodSeconds, so that leases are released before SIGKILL. */
  MILLRACE_STOP_GRACE_MS: z.coerce.number().int().min(0).default(20_000),
});

export interface PodConfig {
  readonly stage: string;
  readonly planFile: string;
  readonly credentialsDir: string;
  readonly nats: NatsAt;
  readonly podName: string;
  readonly podIp: string;
  readonly httpPort: number;
  readonly logLevel: string;
  readonly stopGraceMs: number;
}

export function readPodConfig(env: NodeJS.ProcessEnv): PodConfig {
  const data = readEnvironment(environment, env);
  return {
    stage: data.MILLRACE_STAGE,
    planFile: data.MILLRACE_PLAN_FILE,
    credentialsDir: data.MILLRACE_CREDENTIALS_DIR,
    nats: natsOf(data),
    podName: data.MILLRACE_POD_NAME,
    podIp: data.MILLRACE_POD_IP,
    httpPort: data.MILLRACE_HTTP_PORT,
    logLevel: data.MILLRACE_LOG_LEVEL,
    stopGraceMs: data.MILLRACE_STOP_GRACE_MS,
  };
}
