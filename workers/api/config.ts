/** What the API's process is told by its environment. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { controlPlane, readEnvironment } from '../process/environment.ts';
import { listenAddress } from '../process/listen.ts';

const environment = z.object({
  ...controlPlane,
  MILLRACE_API_LISTEN: listenAddress.prefault('127.0.0.1:8088'),
  MILLRACE_API_ALLOW_REMOTE: z.enum(['true', 'false']).default('false'),
  MILLRACE_TEMPORAL_UI_URL: z.url().optional(),
});

export interface ApiConfig {
  readonly host: string;
  readonly port: number;
  readonly kubeconfig: string | undefined;
  readonly temporal: TemporalConfig;
  readonly logLevel: string;
}

export interface TemporalConfig {
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl: string | undefined;
}

/**
 * The API asks nobody who they are: it acts with its own rights for whoever reaches it. Hence it listens on loopback,
 * and anything else must be said twice.
 */
export function readConfig(env: NodeJS.ProcessEnv): ApiConfig {
  const parsed = readEnvironment(environment, env);
  const { host, port } = parsed.MILLRACE_API_LISTEN;
  if (!isLoopback(host) && parsed.MILLRACE_API_ALLOW_REMOTE !== 'true') {
    throw mr('MR_ENVIRONMENT_INVALID', {
      variable: 'MILLRACE_API_LISTEN',
      problem: `${host} is not a loopback address and the API has no authentication; set MILLRACE_API_ALLOW_REMOTE=true if something in front of it has`,
    });
  }
  return {
    host,
    port,
    kubeconfig: parsed.KUBECONFIG,
    temporal: {
      address: parsed.MILLRACE_TEMPORAL_ADDRESS,
      namespace: parsed.MILLRACE_TEMPORAL_NAMESPACE,
      uiUrl: parsed.MILLRACE_TEMPORAL_UI_URL,
    },
    logLevel: parsed.MILLRACE_LOG_LEVEL,
  };
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
