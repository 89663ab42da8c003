/**
 * The token that an API asks for, when the program was not given one.
 *
 * T1  `MILLRACE_API_TOKEN`, else the file that `MILLRACE_API_TOKEN_FILE` names. The file is read for each request: the token
 *     of a ServiceAccount is replaced while its pod runs.
 * T2  Else what `millrace login` has kept for this very API (`./logins.ts`), renewed when it is about to expire.
 * T3  Else, and only for an API on this machine, the file of `millrace dev`: `api-token` beside the kubeconfig in
 *     `KUBECONFIG`, or in `.millrace`. A token of this machine is never sent to another one.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isLoopbackUrl } from '../model/request-origin.ts';
import { isSystemError } from '../model/system-error.ts';
import type { TokenSource } from './http.ts';
import { loginsIn, type Renew } from './logins.ts';

/** `cwd`: where the program was started. */
export async function tokenSourceFor(
  api: string,
  env: NodeJS.ProcessEnv = process.env,
  cwd = process.cwd(),
): Promise<TokenSource> {
  const { MILLRACE_API_TOKEN: given, MILLRACE_API_TOKEN_FILE: file } = env;
  if (given !== undefined) return () => Promise.resolve(given);
  if (file !== undefined) return async () => (await readFile(file, 'utf8')).trim();
  const logins = loginsIn(env, renewAtIssuer);
  if ((await logins.find(api)) !== undefined) return () => logins.tokenFor(api);
  const found = await ofThisMachine(api, env, cwd);
  return () => Promise.resolve(found);
}

/** T2. Its library is loaded when it is needed. */
export const renewAtIssuer: Renew = async (login, refreshToken) =>
  (await import('./device-login.ts')).renewed(login, refreshToken);

/** T3. */
async function ofThisMachine(api: string, env: NodeJS.ProcessEnv, cwd: string): Promise<string | undefined> {
  if (!isLoopbackUrl(new URL(api))) return undefined;
  const { KUBECONFIG: kubeconfig } = env;
  const besideKubeconfig = kubeconfig === undefined ? [] : [join(dirname(kubeconfig), 'api-token')];
  for (const path of [...besideKubeconfig, join(cwd, '.millrace', 'api-token')]) {
    const found = await readIfThere(path);
    if (found !== undefined) return found.trim();
  }
  return undefined;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}
