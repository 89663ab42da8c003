/**
 * The token that an API asks for, when the program was not given one.
 *
 * T1  `MILLRACE_API_TOKEN`, else the file that `MILLRACE_API_TOKEN_FILE` names.
 * T2  Else, and only for an API on this machine, the file of `millrace dev`: `api-token` beside the kubeconfig in
 *     `KUBECONFIG`, or in `.millrace`. A token of this machine is never sent to another one.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isLoopback } from '../model/request-origin.ts';
import { isSystemError } from '../model/system-error.ts';

/** `cwd`: where the program was started. */
export async function tokenFor(
  api: string,
  env: NodeJS.ProcessEnv = process.env,
  cwd = process.cwd(),
): Promise<string | undefined> {
  const { MILLRACE_API_TOKEN: given, MILLRACE_API_TOKEN_FILE: file, KUBECONFIG: kubeconfig } = env;
  if (given !== undefined) return given;
  if (file !== undefined) return (await readFile(file, 'utf8')).trim();
  if (!isLoopback(new URL(api).hostname.replace(/^\[(.*)\]$/, '$1'))) return undefined;
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
