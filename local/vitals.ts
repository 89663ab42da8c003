/**
 * Signs of life of a process that is not ready yet.
 *
 * A deadline in seconds kills healthy parts on a busy machine: at a load of 40 on two cores, three of three stacks
 * failed to start, and a lifecycle worker that was merely slow was restarted nine times. So work is measured instead:
 * CPU time of the process and bytes in its log. A process that gets one core in twenty still makes some progress.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { sizeOf } from './log-file.ts';

export interface Vitals {
  /** CPU time of the process itself, milliseconds; a tenth of a second is the coarsest step there is. */
  readonly cpuMs: number;
  readonly logBytes: number;
}

const run = promisify(execFile);
/** USER_HZ: Linux tells it to user space as 100 on every architecture that Node runs on. */
const msPerTick = 10;

export async function vitalsOf(pid: number, logFile: string): Promise<Vitals> {
  const [cpuMs, logBytes] = await Promise.all([
    process.platform === 'linux' ? cpuOnLinux(pid) : cpuByPs(pid),
    sizeOf(logFile),
  ]);
  return { cpuMs, logBytes };
}

/** Whether the process has done any work between two samples. */
export function hasWorked(before: Vitals, after: Vitals): boolean {
  return after.cpuMs > before.cpuMs || after.logBytes !== before.logBytes;
}

/** 0 when the process is gone: its exit is noticed elsewhere. */
async function cpuOnLinux(pid: number): Promise<number> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command's name is in parentheses and may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * msPerTick;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return 0;
    throw error;
  }
}

async function cpuByPs(pid: number): Promise<number> {
  try {
    const { stdout } = await run('ps', ['-o', 'time=', '-p', String(pid)], { env: { ...process.env, LC_ALL: 'C' } });
    return millisecondsOfPsTime(stdout.trim());
  } catch (error) {
    // ps exits with 1 when there is no such process.
    if (error instanceof Error && 'code' in error && error.code === 1) return 0;
    throw error;
  }
}

/** `1:02.35`, `01:02:03`, `2-01:02:03` as ps writes CPU time. */
export function millisecondsOfPsTime(text: string): number {
  const [clock = '', days = '0'] = text.split('-').reverse();
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + seconds) * 1_000);
}
