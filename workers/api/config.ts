/** The API's environment, parsed once. */
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { isLoopback } from '../../model/request-origin.ts';
import { controlPlane, readEnvironment } from '../process/environment.ts';
import { readToken, type Access } from './guard.ts';
import { listenAddress, type ListenAddress } from '../process/listen.ts';
import { temporalOf, temporalVariables, type TemporalAt } from '../process/temporal.ts';
import { watchNamespaces } from '../process/watch-namespaces.ts';

const environment = z.object({
  ...controlPlane,
  ...temporalVariables,
  ...watchNamespaces,
  MILLRACE_API_LISTEN: listenAddress.prefault('127.0.0.1:8088'),
  /** Metrics for whoever has no token, as the other processes have them. */
  MILLRACE_HEALTH_LISTEN: listenAddress.optional(),
  MILLRACE_API_ALLOW_REMOTE: z.enum(['true', 'false']).default('false'),
  MILLRACE_API_TOKEN_FILE: z.string().optional(),
  MILLRACE_API_HOSTS: z
    .string()
    .regex(/^[\w.-]+(,[\w.-]+)*$/, 'must be host names without ports, separated by commas')
    .transform((names) => names.split(','))
    .default([]),
  MILLRACE_TEMPORAL_UI_URL: z.url().optional(),
});

export interface ApiConfig {
  readonly host: string;
  readonly port: number;
  readonly access: Access;
  readonly healthListen: ListenAddress | undefined;
  readonly kubeconfig: string | undefined;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly temporal: TemporalConfig;
  readonly logLevel: string;
}

export interface TemporalConfig extends TemporalAt {
  readonly uiUrl: string | undefined;
}

/**
 * The API uses its own rights for every caller. So it listens on loopback only, unless callers need a token, or the
 * environment says that something in front of it authenticates them.
 */
export function readConfig(env: NodeJS.ProcessEnv): ApiConfig {
  const parsed = readEnvironment(environment, env);
  const { host, port } = parsed.MILLRACE_API_LISTEN;
  const token = parsed.MILLRACE_API_TOKEN_FILE === undefined ? undefined : readToken(parsed.MILLRACE_API_TOKEN_FILE);
  if (!isLoopback(host) && token === undefined && parsed.MILLRACE_API_ALLOW_REMOTE !== 'true') {
    throw mr('MR_ENVIRONMENT_INVALID', {
      variable: 'MILLRACE_API_LISTEN',
      problem: `${host} is not a loopback address and the API has no token to ask for; set MILLRACE_API_TOKEN_FILE, or MILLRACE_API_ALLOW_REMOTE=true if something in front of it authenticates`,
    });
  }
  return {
    host,
    port,
    access: { token, hosts: parsed.MILLRACE_API_HOSTS },
    healthListen: parsed.MILLRACE_HEALTH_LISTEN,
    kubeconfig: parsed.KUBECONFIG,
    namespaces: parsed.MILLRACE_WATCH_NAMESPACES,
    temporal: { ...temporalOf(parsed), uiUrl: parsed.MILLRACE_TEMPORAL_UI_URL },
    logLevel: parsed.MILLRACE_LOG_LEVEL,
  };
}
