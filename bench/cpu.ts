/** CPU time that processes have used, read from /proc (Linux). */
import { readdir, readFile } from 'node:fs/promises';

/** Clock ticks a second of /proc/<pid>/stat: 100 on every Linux that runs Node. */
const ticksPerSecond = 100;

/** User and system time of a process and all its threads, in microseconds. */
export async function cpuMicros(pid: number): Promise<number> {
  return ticksToMicros((await readStat(pid)).own);
}

/** Of a process, of the running processes that it has started, and of those of them that have ended. */
export async function cpuMicrosOfTree(root: number): Promise<number> {
  const running = (await readdir('/proc')).map(Number).filter(Number.isInteger);
  // A process that ends meanwhile is accounted to its parent.
  const stats = (await Promise.allSettled(running.map(readStat))).flatMap((read) =>
    read.status === 'fulfilled' ? [read.value] : [],
  );
  const tree = new Set([root]);
  for (let known = 0; known !== tree.size;) {
    known = tree.size;
    for (const { pid, parent } of stats) if (tree.has(parent)) tree.add(pid);
  }
  const ticks = stats.map(({ pid, own, ended }) => (tree.has(pid) ? own + ended : 0));
  return ticksToMicros(ticks.reduce((sum, one) => sum + one, 0));
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** Ticks of the process and its threads. */
  readonly own: number;
  /** Ticks of children that have ended and were waited for. */
  readonly ended: number;
}

async function readStat(pid: number): Promise<Stat> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [, parent = 0] = fields;
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
  return { pid, parent, own: user + system, ended: endedUser + endedSystem };
}

const ticksToMicros = (ticks: number) => (ticks / ticksPerSecond) * 1e6;

/** Largest resident size so far, in bytes. */
export async function peakRssBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
