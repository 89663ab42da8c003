/** Processes of containers, identified by what their shims wrote and by their environment. */
import { readdir, readFile } from 'node:fs/promises';
import { identify, type ProcessIdentity } from '../process-identity.ts';

const onLinux = process.platform === 'linux';

/**
 * Distinguishes this boot of the machine from others, for identities written by shims; empty where that is not
 * needed.
 */
export async function currentBoot(): Promise<string> {
  const self = await identify(process.pid);
  return onLinux ? (self?.startedAt.split('/')[0] ?? '') : '';
}

/** What a shim wrote about a process: its line of /proc/<pid>/stat, or `<pid> <start as ps prints it>`. */
export function parseIdentity(line: string, boot: string): ProcessIdentity | undefined {
  const pid = Number.parseInt(line, 10);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (!onLinux) return { pid, startedAt: line.trim().split(/\s+/).slice(1).join(' ') };
  // The command's name is in parentheses and may hold spaces and parentheses itself.
  const start = line.slice(line.lastIndexOf(')') + 2).split(' ')[19];
  return start === undefined ? undefined : { pid, startedAt: `${boot}/${start}` };
}

/**
 * Processes of this user whose environment holds `NAME=value`, even if they left their group. Linux only; otherwise
 * empty.
 */
export async function processesWithEnv(entry: string): Promise<readonly ProcessIdentity[]> {
  if (!onLinux) return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: ProcessIdentity[] = [];
  for (const pid of pids) {
    const environ = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (!environ.split('\0').includes(entry)) continue;
    const identity = await identify(pid);
    if (identity) found.push(identity);
  }
  return found;
}
