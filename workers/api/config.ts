/** What the API's process is told by its environment. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';

const environment = z.object({
  KUBECONFIG: z.string().optional(),
  MILLRACE_API_LISTEN: z
    .string()
    .regex(/^.+:[0-9]{1,5}$/, 'must be host:port')
    .default('127.0.0.1:8088'),
  MILLRACE_API_ALLOW_REMOTE: z.enum(['true', 'false']).default('false'),
  MILLRACE_TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  MILLRACE_TEMPORAL_NAMESPACE: z.string().default('default'),
  MILLRACE_TEMPORAL_UI_URL: z.url().optional(),
  MILLRACE_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
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
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const variable = issue?.path.join('.') ?? 'the environment';
    throw mr('MR_ENVIRONMENT_INVALID', { variable, problem: issue?.message ?? 'it does not parse' });
  }
  const { host, port } = hostAndPort(parsed.data.MILLRACE_API_LISTEN);
  if (!isLoopback(host) && parsed.data.MILLRACE_API_ALLOW_REMOTE !== 'true') {
    throw mr('MR_ENVIRONMENT_INVALID', {
      variable: 'MILLRACE_API_LISTEN',
      problem: `${host} is not a loopback address and the API has no authentication; set MILLRACE_API_ALLOW_REMOTE=true if something in front of it has`,
    });
  }
  return {
    host,
    port,
    kubeconfig: parsed.data.KUBECONFIG,
    temporal: {
      address: parsed.data.MILLRACE_TEMPORAL_ADDRESS,
      namespace: parsed.data.MILLRACE_TEMPORAL_NAMESPACE,
      uiUrl: parsed.data.MILLRACE_TEMPORAL_UI_URL,
    },
    logLevel: parsed.data.MILLRACE_LOG_LEVEL,
  };
}

function hostAndPort(listen: string): { host: string; port: number } {
  const colon = listen.lastIndexOf(':');
  return { host: listen.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(listen.slice(colon + 1)) };
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
