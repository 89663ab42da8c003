/**
 * A host process of the local stack: started with its own log file, watched until ready, stopped reliably.
 *
 * P1  The child is the leader of its own process group; `stop` ends the whole group, including processes that
 *     outlived the leader.
 * P2  `stop` sends SIGTERM, then SIGKILL after the grace period, and resolves when the process is gone.
 * P3  A start is aborted when the process does nothing (`./vitals.ts`), never because it is slow.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { mr, problemOf, type MillraceError } from '../model/errors.ts';
import { lastLine, rotateLog } from './log-file.ts';
import { hasWorked, vitalsOf } from './vitals.ts';

export interface ProcessOptions {
  /** The name that people use: `nats-server`. */
  readonly name: string;
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** stdout and stderr are appended here. */
  readonly logFile: string;
  /** Polled until it resolves true; throwing counts as false. */
  readonly ready?: () => Promise<boolean>;
  /** A process that is not ready and did no work for this long is given up. Default 60,000 ms. */
  readonly idleMs?: number;
  /** Between SIGTERM and SIGKILL. Default 5,000 ms. */
  readonly graceMs?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Called as soon as the process exists, before it is ready: code that must clean up after a crash stores the pid. */
  readonly onSpawn?: (pid: number) => void;
}

export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves with the exit code or signal, whenever and however the process ends. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly isRunning: () => boolean;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

const firstPollMs = 50;
const maxPollMs = 500;
const defaultIdleMs = 60_000;

/** Starts a process and waits until it is ready. Throws MR_PART_FAILED when it exits before or hangs. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const child = await spawnLogged(options);
  const running = watch(child, options);
  options.onSpawn?.(running.pid);
  if (options.ready) await untilReady(running, options, options.ready);
  return running;
}

async function spawnLogged(options: ProcessOptions): Promise<ChildProcess> {
  await mkdir(dirname(options.logFile), { recursive: true });
  await rotateLog(options.logFile);
  const log = openSync(options.logFile, 'a');
  try {
    const child = spawn(options.command, options.args ?? [], {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    return child;
  } catch (error) {
    throw mr(
      'MR_PART_FAILED',
      { part: options.name, problem: problemOf(error), log: options.logFile },
      { cause: error },
    );
  } finally {
    closeSync(log);
  }
}

function watch(child: ChildProcess, options: ProcessOptions): RunningProcess {
  const pid = child.pid;
  if (pid === undefined) throw new TypeError('a spawned process has a pid');
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const kill = (signal: NodeJS.Signals) => {
    if (isRunning()) process.kill(-pid, signal);
  };
  return {
    name: options.name,
    pid,
    logFile: options.logFile,
    exited,
    isRunning,
    kill,
    async stop() {
      if (!isRunning()) return killGroup(pid);
      kill('SIGTERM');
      const grace = new AbortController();
      const timer = delay(options.graceMs ?? 5_000, undefined, { signal: grace.signal }).then(
        () => kill('SIGKILL'),
        () => undefined,
      );
      await exited;
      grace.abort();
      await timer;
      killGroup(pid);
    },
  };
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    // Nobody of the group is left.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

async function untilReady(
  running: RunningProcess,
  options: ProcessOptions,
  ready: () => Promise<boolean>,
): Promise<void> {
  const { logFile, idleMs = defaultIdleMs } = options;
  let vitals = await vitalsOf(running.pid, logFile);
  let workedAt = performance.now();
  for (let pauseMs = firstPollMs; ; pauseMs = Math.min(pauseMs * 1.2, maxPollMs)) {
    if (!running.isRunning()) throw await exitedEarly(running, options);
    const why = await reasonAgainst(ready);
    if (why === undefined) return;
    const now = performance.now();
    const latest = await vitalsOf(running.pid, logFile);
    if (hasWorked(vitals, latest)) workedAt = now;
    vitals = latest;
    if (now - workedAt > idleMs) {
      await running.stop();
      const problem = `${why}, and it did nothing for ${Math.round(idleMs / 1_000)} s`;
      throw mr('MR_PART_FAILED', { part: options.name, problem, log: logFile });
    }
    await delay(pauseMs);
  }
}

/** Why it is not ready; undefined when it is. */
async function reasonAgainst(ready: () => Promise<boolean>): Promise<string | undefined> {
  try {
    return (await ready()) ? undefined : 'it answers, but is not ready';
  } catch (error) {
    return problemOf(error);
  }
}

async function exitedEarly(running: RunningProcess, { name, logFile }: ProcessOptions): Promise<MillraceError> {
  const { code, signal } = await running.exited;
  const said = await lastLine(logFile);
  return mr('MR_PART_FAILED', {
    part: name,
    problem: `it exited with ${signal ?? `code ${String(code)}`}${said === undefined ? '' : ` after "${said}"`}`,
    log: logFile,
  });
}
