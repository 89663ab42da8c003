/**
 * `millrace login`, `millrace logout`: a login for an API whose callers an issuer of OIDC knows. Programs that use the package's
 * client on this machine then find the token by themselves, and `millrace token` prints it.
 */
import { Command } from 'commander';
import { askApi } from '../../client/http.ts';
import { loginsIn, originOf, type Login } from '../../client/logins.ts';
import { renewAtIssuer } from '../../client/token.ts';
import { MillraceProblem } from '../../client/problem.ts';
import { authSchema, type AuthInfo } from '../../client/wire.ts';
import { problemOf } from '../../model/errors.ts';
import { isLoopbackUrl } from '../../model/request-origin.ts';
import { visible } from '../../model/text.ts';
import { addressOfApi, withApiOption, type ApiOptions } from '../api-address.ts';
import { CommandFailed, exitCodes } from '../exit.ts';
import { say } from '../output.ts';

interface Options extends ApiOptions {
  readonly clientId?: string;
  readonly scopes?: string;
}

export function loginCommand(): Command {
  return withApiOption(new Command('login').description('Log in to an API whose callers an issuer of OIDC knows.'))
    .option('--client-id <id>', 'public client with the device flow; default: the one that the API names')
    .option('--scopes <scopes>', 'what to ask the issuer for; default: what the API names')
    .action(async (options: Options) => {
      const api = addressOfApi(options);
      const { issuer, audiences = [], ...named } = await authOf(api);
      const clientId = options.clientId ?? named.clientId;
      if (issuer === undefined) throw new CommandFailed(exitCodes.failure, 'The API names no issuer.');
      if (clientId === undefined) {
        throw new CommandFailed(
          exitCodes.usage,
          `The API names no client of ${issuer} for the command: pass --client-id.`,
        );
      }
      // As an address is written: a name that looks like another one is shown by its letters (xn--…).
      say(
        `Asking ${URL.parse(issuer)?.href ?? issuer} for a token of its client ${clientId}, which ${originOf(api)} will get.`,
      );
      const { logIn } = await import('../../client/device-login.ts');
      const login = await logIn({
        ...{ api, issuer, clientId, audiences },
        scopes: options.scopes ?? named.scopes ?? 'openid',
        show: ({ url, code, complete }) =>
          say(
            `Open ${complete ?? url} in a browser${complete === undefined ? ' and type' : ', where you see'} the code ${code}`,
          ),
      });
      await loginsIn(process.env, renewAtIssuer).keep(login);
      say(`You are logged in to ${originOf(api)}.`);
    });
}

export function logoutCommand(): Command {
  return withApiOption(
    new Command('logout').description('Forget the login to an API, and have its issuer revoke it.'),
  ).action(async (options: ApiOptions) => {
    const api = addressOfApi(options);
    const logins = loginsIn(process.env, renewAtIssuer);
    // A file that is no login is forgotten as well.
    const login = await logins.find(api).catch(() => undefined);
    const isForgotten = await logins.forget(api);
    say(isForgotten ? `The login to ${originOf(api)} is forgotten.` : `There is no login to ${originOf(api)}.`);
    if (login?.refreshToken !== undefined) say(await endAtIssuer(login, login.refreshToken));
  });
}

/** What became of the refresh token, of which somebody may have a copy. */
async function endAtIssuer(login: Login, refreshToken: string): Promise<string> {
  const { revoked } = await import('../../client/device-login.ts');
  try {
    return (await revoked(login, refreshToken))
      ? `${login.issuer} has revoked it.`
      : `${login.issuer} revokes nothing: a copy of the login is good until it expires.`;
  } catch (error) {
    return `${login.issuer} may not have revoked it (${problemOf(error)}): a copy of the login may be good until it expires.`;
  }
}

/** How the API knows its callers; it must be by an issuer. */
async function authOf(api: string): Promise<AuthInfo> {
  const url = new URL(api);
  if (url.protocol !== 'https:' && !isLoopbackUrl(url)) {
    throw new CommandFailed(exitCodes.usage, `${api} must begin with https://: a token would be readable on its way.`);
  }
  const ask = askApi(api, () => Promise.resolve(undefined));
  const auth = await ask({ method: 'GET', path: '/v1/auth', answer: authSchema }).catch((error: unknown) => {
    throw error instanceof MillraceProblem
      ? new CommandFailed(exitCodes.failure, visible(error.message), { cause: error })
      : error;
  });
  const instead = {
    oidc: undefined,
    none: 'asks nobody who they are: there is nothing to log in to',
    token: 'asks for its own token: set MILLRACE_API_TOKEN or MILLRACE_API_TOKEN_FILE',
    kubernetes: 'asks for a token that Kubernetes knows: `millrace token --kubernetes` prints that of the kubeconfig',
  }[auth.mode];
  if (instead !== undefined) throw new CommandFailed(exitCodes.failure, `The API at ${originOf(api)} ${instead}.`);
  return auth;
}
