/** The API's environment, parsed once. */
import { z } from 'zod';
import type { AuthInfo } from '../../client/wire.ts';
import { mr } from '../../model/errors.ts';
import { isLoopback } from '../../model/request-origin.ts';
import { controlPlane, readEnvironment } from '../process/environment.ts';
import { listenAddress, type ListenAddress } from '../process/listen.ts';
import { temporalOf, temporalVariables, type TemporalAt } from '../process/temporal.ts';
import { watchNamespaces } from '../process/watch-namespaces.ts';
import { readToken, type Rates } from './guard.ts';
import { urlFault } from './identity/issuer-keys.ts';
import type { OidcOptions } from './identity/oidc.ts';

const listOf = (word: RegExp, what: string) =>
  z
    .string()
    .regex(new RegExp(`^${word.source}(,${word.source})*$`), `must be ${what}, separated by commas`)
    .transform((words) => words.split(','))
    .default([]);
const count = z
  .string()
  .regex(/^\d{1,4}$/, 'must be a number')
  .transform(Number);
const issuerUrl = z.string().superRefine((text, context) => {
  const fault = urlFault(text);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `it ${fault}` });
});

const environment = z.object({
  ...controlPlane,
  ...temporalVariables,
  ...watchNamespaces,
  MILLRACE_API_LISTEN: listenAddress.prefault('127.0.0.1:8088'),
  /** Metrics for whoever has no token, as the other processes have them. */
  MILLRACE_HEALTH_LISTEN: listenAddress.optional(),
  MILLRACE_API_HOSTS: listOf(/[\w.-]+/, 'host names without ports'),
  MILLRACE_TEMPORAL_UI_URL: z.url().optional(),
  /** Default: `token` where there is one, else `none`. */
  MILLRACE_API_AUTH_MODE: z.enum(['none', 'token', 'kubernetes', 'oidc']).optional(),
  MILLRACE_API_TOKEN_FILE: z.string().optional(),
  MILLRACE_API_AUDIENCES: listOf(/[^\s,]+/, 'audiences'),
  MILLRACE_API_OIDC_ISSUER: issuerUrl.optional(),
  MILLRACE_API_OIDC_JWKS_URL: issuerUrl.optional(),
  MILLRACE_API_OIDC_CLOCK_SKEW_SECONDS: count.prefault('30'),
  MILLRACE_API_OIDC_USERNAME_CLAIM: z.string().min(1).default('sub'),
  MILLRACE_API_OIDC_USERNAME_PREFIX: z.string().default('oidc:'),
  MILLRACE_API_OIDC_GROUPS_CLAIM: z.string().min(1).default('groups'),
  MILLRACE_API_OIDC_GROUPS_PREFIX: z.string().default('oidc:'),
  MILLRACE_API_OIDC_CLI_CLIENT_ID: z.string().min(1).optional(),
  MILLRACE_API_OIDC_CLI_SCOPES: z.string().min(1).default('openid'),
  /** Keys of what else Kubernetes knows about a caller, which are sent on; the right to each is in the chart. */
  MILLRACE_API_IMPERSONATE_EXTRA: listOf(/[a-z0-9]([a-z0-9./_-]*[a-z0-9])?/, 'keys'),
  /** What the names of the chart's roles begin with. */
  MILLRACE_API_ROLES: z.string().min(1).optional(),
  MILLRACE_API_RATE: count.prefault('50'),
});

export type AuthConfig =
  | { readonly mode: 'none' }
  | { readonly mode: 'token'; readonly token: string }
  | ({ readonly mode: 'kubernetes'; readonly audiences: readonly string[] } & Named)
  | ({ readonly mode: 'oidc'; readonly oidc: Omit<OidcOptions, 'now' | 'wallClock'>; readonly cli: CliLogin } & Named);

interface Named {
  readonly roles: string | undefined;
  readonly extraKeys: readonly string[];
}

/** With which the command asks the issuer. */
export interface CliLogin {
  /** A public client with the device flow. Undefined: the command is told its own. */
  readonly clientId: string | undefined;
  readonly scopes: string;
}

export interface ApiConfig {
  readonly host: string;
  readonly port: number;
  readonly auth: AuthConfig;
  readonly hosts: readonly string[];
  readonly rates: Rates;
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

/** Each may cost a request to Kubernetes. */
const strangerRate = { perSecond: 5, burst: 50 };
/** A program that waits for several pipelines looks four times a second at each. */
const burstSeconds = 4;

/** Throws MR_ENVIRONMENT_INVALID. */
export function readConfig(env: NodeJS.ProcessEnv): ApiConfig {
  const parsed = readEnvironment(environment, env);
  const { host, port } = parsed.MILLRACE_API_LISTEN;
  const auth = authOf(parsed);
  // Whoever reaches it may do everything then.
  if (!isLoopback(host) && auth.mode === 'none') {
    throw invalid(
      'MILLRACE_API_LISTEN',
      `${host} is not a loopback address, and the API asks nobody who they are; set MILLRACE_API_AUTH_MODE to kubernetes or oidc, or MILLRACE_API_TOKEN_FILE`,
    );
  }
  return {
    ...{ host, port, auth },
    hosts: parsed.MILLRACE_API_HOSTS,
    rates: {
      caller: { perSecond: parsed.MILLRACE_API_RATE, burst: burstSeconds * parsed.MILLRACE_API_RATE },
      stranger: strangerRate,
    },
    healthListen: parsed.MILLRACE_HEALTH_LISTEN,
    kubeconfig: parsed.KUBECONFIG,
    namespaces: parsed.MILLRACE_WATCH_NAMESPACES,
    temporal: { ...temporalOf(parsed), uiUrl: parsed.MILLRACE_TEMPORAL_UI_URL },
    logLevel: parsed.MILLRACE_LOG_LEVEL,
  };
}

/** What everybody may know of it. */
export function authInfoOf(auth: AuthConfig): AuthInfo {
  const { mode } = auth;
  if (mode === 'kubernetes') return { mode, audiences: [...auth.audiences] };
  if (mode !== 'oidc') return { mode };
  const { issuer, audiences } = auth.oidc;
  const { clientId, scopes } = auth.cli;
  return { mode, issuer, audiences: [...audiences], scopes, ...(clientId === undefined ? {} : { clientId }) };
}

function authOf(parsed: z.output<typeof environment>): AuthConfig {
  const file = parsed.MILLRACE_API_TOKEN_FILE;
  const mode = parsed.MILLRACE_API_AUTH_MODE ?? (file === undefined ? 'none' : 'token');
  const named = { roles: parsed.MILLRACE_API_ROLES, extraKeys: parsed.MILLRACE_API_IMPERSONATE_EXTRA };
  switch (mode) {
    case 'none':
      return { mode };
    case 'token':
      if (file === undefined) throw invalid('MILLRACE_API_TOKEN_FILE', 'it must name the file with the token');
      return { mode, token: readToken(file) };
    case 'kubernetes':
      return { mode, audiences: parsed.MILLRACE_API_AUDIENCES, ...named };
    case 'oidc':
      return { mode, oidc: oidcOf(parsed), cli: cliOf(parsed), ...named };
  }
}

function oidcOf(parsed: z.output<typeof environment>): Omit<OidcOptions, 'now' | 'wallClock'> {
  const { MILLRACE_API_OIDC_ISSUER: issuer, MILLRACE_API_AUDIENCES: audiences } = parsed;
  if (issuer === undefined) throw invalid('MILLRACE_API_OIDC_ISSUER', 'it must name the issuer');
  // Without one, a token for any other program of the issuer would do.
  if (audiences.length === 0) throw invalid('MILLRACE_API_AUDIENCES', 'it must say for whom tokens are made');
  return {
    ...{ issuer, audiences },
    jwksUrl: parsed.MILLRACE_API_OIDC_JWKS_URL,
    clockSkewSeconds: parsed.MILLRACE_API_OIDC_CLOCK_SKEW_SECONDS,
    usernameClaim: parsed.MILLRACE_API_OIDC_USERNAME_CLAIM,
    usernamePrefix: parsed.MILLRACE_API_OIDC_USERNAME_PREFIX,
    groupsClaim: parsed.MILLRACE_API_OIDC_GROUPS_CLAIM,
    groupsPrefix: parsed.MILLRACE_API_OIDC_GROUPS_PREFIX,
  };
}

function cliOf(parsed: z.output<typeof environment>): CliLogin {
  return { clientId: parsed.MILLRACE_API_OIDC_CLI_CLIENT_ID, scopes: parsed.MILLRACE_API_OIDC_CLI_SCOPES };
}

function invalid(variable: string, problem: string) {
  return mr('MR_ENVIRONMENT_INVALID', { variable, problem });
}
