/**
 * `millrace token`: the token that an API asks for, on stdout: for curl, and for programs that take one from the environment.
 *
 * That of a kubeconfig is printed only when it is asked for by `--kubernetes`: no API may make the command show it.
 */
import { Command } from 'commander';
import { tokenSourceFor } from '../../client/token.ts';
import { loadKubeconfig } from '../../kubernetes/kubeconfig.ts';
import { addressOfApi, withApiOption, type ApiOptions } from '../api-address.ts';
import { CommandFailed, exitCodes } from '../exit.ts';
import { print } from '../output.ts';

interface Options extends ApiOptions {
  readonly kubernetes?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
}

export function tokenCommand(): Command {
  return withApiOption(
    new Command('token').description(
      'Print the token that an API asks for: MILLRACE_API_TOKEN, MILLRACE_API_TOKEN_FILE, that of `millrace login`, or of `millrace dev`.',
    ),
  )
    .option('--kubernetes', 'that with which the kubeconfig reaches Kubernetes, of its plugin where it has one')
    .option('--kubeconfig <file>', 'default: $KUBECONFIG, else ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .action(async (options: Options) => {
      const token = options.kubernetes === true ? await ofKubeconfig(options) : await ofApi(addressOfApi(options));
      print(`${token}\n`);
    });
}

async function ofApi(api: string): Promise<string> {
  const token = await (await tokenSourceFor(api))();
  if (token !== undefined) return token;
  throw new CommandFailed(
    exitCodes.unauthorised,
    `There is no token for ${api}: log in with \`millrace login --api ${api}\`.`,
  );
}

async function ofKubeconfig({ kubeconfig, context }: Options): Promise<string> {
  const { headers = {} } = await loadKubeconfig(kubeconfig).access(context).options();
  const named = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const [, token] = /^Bearer (\S+)$/.exec(String(named.get('authorization'))) ?? [];
  if (token !== undefined) return token;
  throw new CommandFailed(
    exitCodes.unauthorised,
    'The kubeconfig has no token, but a certificate, which does not reach the API. `kubectl create token ACCOUNT` makes a token of a ServiceAccount.',
  );
}
