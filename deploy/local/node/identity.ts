/**
 * Which process a pid means.
 *
 * A pid alone may have been given to another process since. Pid, start time and boot together name one process for ever.
 * On Linux from /proc; elsewhere `ps`, whose start time has a resolution of one second.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export interface Identity {
  readonly pid: number;
  /** Opaque: equal for the same process, different for any other with this pid. */
  readonly started: string;
}

const run = promisify(execFile);
const onLinux = process.platform === 'linux';
const boot = onLinux ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() : 'boot';

export async function identityOf(pid: number): Promise<Identity | undefined> {
  const started = onLinux ? await startOnLinux(pid) : await startFromPs(pid);
  return started === undefined ? undefined : { pid, started };
}

/** A zombie is not alive: nothing of it runs any more, and in some containers nobody reaps it. */
export async function isAlive(identity: Identity): Promise<boolean> {
  return (await identityOf(identity.pid))?.started === identity.started;
}

/** What a shim wrote about itself: a line of /proc/<pid>/stat, or `<pid> <start as ps prints it>`. */
export function parseIdentity(line: string, bootId: string): Identity | undefined {
  const pid = Number.parseInt(line, 10);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (!onLinux) return { pid, started: `${bootId}/${line.slice(String(pid).length).trim()}` };
  const start = fieldsAfterName(line)[19];
  return start === undefined ? undefined : { pid, started: `${bootId}/${start}` };
}

export function bootId(): string {
  return boot;
}

/** Signals the process unless it is gone. Says whether there was one. */
export async function signal(identity: Identity, name: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(identity))) return false;
  try {
    process.kill(identity.pid, name);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ESRCH';
}

/** Processes of this user whose environment holds `NAME=value`, however they left their group. Linux only; else empty. */
export async function processesWithEnv(entry: string): Promise<readonly Identity[]> {
  if (!onLinux) return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: Identity[] = [];
  for (const pid of pids) {
    const environ = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (!environ.split('\0').includes(entry)) continue;
    const identity = await identityOf(pid);
    if (identity) found.push(identity);
  }
  return found;
}

async function startOnLinux(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  const fields = fieldsAfterName(stat);
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return `${boot}/${fields[19] ?? ''}`;
}

/** The fields of a stat line from `state` on; the name before it may hold spaces and brackets. */
function fieldsAfterName(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

async function startFromPs(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]);
    const line = stdout.trim();
    if (line === '' || line.startsWith('Z')) return undefined;
    return `${boot}/${line.replace(/^\S+\s+/, '')}`;
  } catch {
    // ps exits 1 when there is no such process.
    return undefined;
  }
}
