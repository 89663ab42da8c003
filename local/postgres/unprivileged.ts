/**
 * PostgreSQL refuses to run as root. As root, its programs run under user `nobody`; otherwise unchanged.
 *
 * A directory below one that only root may enter (a checkout in /root) stays accessible through the two capabilities
 * that bypass directory permissions, which setpriv leaves to the new user.
 */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

const nobody = { uid: 65534, gid: 65534 };

export interface Invocation {
  readonly command: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

/** Who owns the data directory when root starts the server. */
export const dataOwner = process.getuid?.() === 0 ? nobody : null;

export async function unprivileged(
  program: string,
  args: readonly string[],
  paths: readonly string[],
): Promise<Invocation> {
  if (dataOwner === null) return { command: program, args };
  const open = await Promise.all(paths.map(isOpenToAll));
  if (open.every(Boolean)) return { command: program, args, ...dataOwner };
  const capabilities = '+dac_read_search,+dac_override';
  const identity = [`--reuid=${dataOwner.uid}`, `--regid=${dataOwner.gid}`, '--clear-groups'];
  const grants = [`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`];
  return { command: 'setpriv', args: [...identity, ...grants, program, ...args] };
}

/** Whether every directory above `path` may be entered by all users. */
async function isOpenToAll(path: string): Promise<boolean> {
  for (let dir = dirname(resolve(path)); ; dir = dirname(dir)) {
    if (((await stat(dir)).mode & 0o001) === 0) return false;
    if (dir === dirname(dir)) return true;
  }
}
